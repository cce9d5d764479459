"""Makes docs/status-page.png: the page of a demo cluster in failover, as Chromium shows it."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from docs.pictures import DOCS, PAGE, sources
from docs.png import small, stamped
from exporter.demo.clusterset import clusterset, until
from exporter.demo.layout import claim
from exporter.model.verdicts import Locality
from tests.fakes.browser import browser


async def main() -> None:
    """Bring about a failover and take the picture."""
    with tempfile.TemporaryDirectory() as name, claim(["k8s-node4", "k8s-node5"], Path(name)) as sites:
        here, _ = sites
        async with clusterset(sites, Path(name)) as made:

            async def serves(mode: str) -> bool:
                return (await made.service(here))["mode"] == mode

            await until(lambda: serves("local"), "all is well")
            for _ in range(20):
                await made.request(here, Locality.FAILOVER)
            await made.stop_backend(here)
            await until(lambda: serves("blackout"), "the failure is seen")
            made.set_ready(here, ready=False)
            await until(lambda: serves("failover"), "the failover")
            profile = Path(name) / "profile"
            async with browser(shutil.which("chromium") or "chromium", profile) as tab:
                await tab.open(here.url, width=900, height=760)
                picture = stamped(small(await tab.picture()), sources()[PAGE])
                (DOCS / PAGE).write_bytes(picture)


asyncio.run(main())
