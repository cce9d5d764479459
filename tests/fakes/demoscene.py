"""The demo's clusterset with a real Prometheus that scrapes its exporters."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from exporter.demo import parts
from exporter.demo.clusterset import clusterset
from exporter.demo.layout import claim
from tests.fakes.tools import need


@dataclass(frozen=True)
class DemoScene:
    """
    What a test needs of it.

    Attributes:
        sites: The clusters.
        made: The clusterset.
        url: The URL of Prometheus, with a slash at its end.
        session: An HTTP session.
    """

    sites: list
    made: object
    url: str
    session: aiohttp.ClientSession
    part: parts.Part

    async def ask(self, expression):
        """Return what Prometheus answers; nothing if it does not yet."""
        self.part.check()
        try:
            async with self.session.get(
                f"{self.url}api/v1/query", params={"query": expression}
            ) as reply:
                return (await reply.json())["data"]["result"]
        except aiohttp.ClientError:  # not yet, or not ready
            return []

    async def number(self, expression):
        """Return the one value of *expression*; None if there is none yet."""
        found = await self.ask(expression)
        return float(found[0]["value"][1]) if found else None


@asynccontextmanager
async def watched_demo(folder):
    """Yield the scene."""
    need("prometheus")
    with claim(["k8s-node4", "k8s-node5"], folder) as sites:
        part, url = parts.prometheus(sites, folder)
        async with (
            clusterset(sites, folder) as made,
            parts.running([part]),
            aiohttp.ClientSession() as session,
        ):
            yield DemoScene(sites=sites, made=made, url=url, session=session, part=part)
