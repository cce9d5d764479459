"""A leader that ends in a pod is there until every Prometheus has its newest counts."""

import signal

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import Member

pytestmark = pytest.mark.timeout(120)
LEASE = "/apis/coordination.k8s.io/v1/namespaces/mon/leases/mine"
PATIENT = "from exporter.commands.run import process; process.LAST_SCRAPE_SECONDS = 600.0"
"""It waits for longer than any test, so only scrapes let it end."""
FIRST, SECOND = "Prometheus/3.0", "Prometheus/2.53"


@pytest.fixture
async def member(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        await made.fill()
        yield made


async def scraped(exporter, who):
    status, text = await exporter.get("/metrics", **{"User-Agent": who})
    assert (status, "clusterset_probes_total{" in text) == (200, True)
    return text


async def shows_gauges(exporter):
    """Return whether it leads, and does not end yet, as the first one sees it."""
    return "clusterset_service_mode{" in await scraped(exporter, FIRST)


async def test_it_waits_for_each_of_two(member, monkeypatch):
    monkeypatch.setenv("POD_NAME", "exporter-1")
    async with member.exporter(kubernetes="lease: mine", before=PATIENT) as exporter:
        await exporter.until(lambda: shows_gauges(exporter))
        for _ in range(2):
            for who in (FIRST, SECOND):
                await scraped(exporter, who)
        exporter.process.send_signal(signal.SIGTERM)

        async def waits():
            return not await shows_gauges(exporter)

        await exporter.until(waits)
        lease = await member.api.done("GET", LEASE)
        assert not lease["spec"].get("holderIdentity")
        await scraped(exporter, FIRST)
        # It is still there for the other one.
        await scraped(exporter, SECOND)
        assert await exporter.end() == 0
    assert not any("last scrape was missed" in line for line in exporter.lines)
