"""Tokens that the API server reviews: who may scrape; also run on a real API server."""

import pytest

from tests.fakes.apiaccess import EXPORTER
from tests.fakes.members import RULES
from tests.system.test_cluster_life import api, member  # noqa: F401 - the fixtures

pytestmark = pytest.mark.timeout(240)
REVIEWS = (("create", "tokenreviews"), ("create", "subjectaccessreviews"))


@pytest.fixture
async def guarded(member, api):  # noqa: F811 - the fixtures
    """Return how to run an exporter that lets in whom the API server knows."""
    web = member.folder / "web.yaml"
    web.write_text("kubernetes: {}\n")
    await api.grant(*RULES, *REVIEWS)
    return member.exporter("--web.config.file", str(web), token=EXPORTER)


async def ask(exporter, path, token=None):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return (await exporter.get(path, **headers))[0]


async def test_who_may_scrape(guarded, api):  # noqa: F811 - the fixtures
    scraper = await api.account("scraper", "/metrics")
    stranger = await api.account("stranger")
    async with guarded as exporter:

        async def may():
            return await ask(exporter, "/metrics", scraper) == 200

        # A new right needs a moment to be in effect.
        await exporter.until(may)
        assert await ask(exporter, "/metrics", stranger) == 403
        assert await ask(exporter, "/metrics", scraper + "x") == 401
        assert await ask(exporter, "/metrics") == 401
        assert await ask(exporter, "/", scraper) == 403
        # The exporter itself has other rights, but not this one.
        assert await ask(exporter, "/metrics", EXPORTER) == 403
        assert await ask(exporter, "/-/healthy") == 200
        assert not [line for line in exporter.lines if scraper in line or stranger in line]


async def test_a_right_that_is_missing_lets_nobody_in(guarded, api):  # noqa: F811 - the fixtures
    scraper = await api.account("scraper", "/metrics")
    await api.grant(*RULES)
    async with guarded as exporter:
        assert await ask(exporter, "/metrics", scraper) == 503
        assert await ask(exporter, "/-/ready") == 200
        (told,) = [line for line in exporter.lines if "access review failed" in line]
        assert "grant create on tokenreviews and subjectaccessreviews" in told
