"""
Each fault of an API server, ten minutes long, and what has to hold after each of them.

Leaders that are cut off are in test_lease.py; floods of events, broken pages and the like, one
resource at a time, in test_reflector.py and test_reflector_input.py; all at once in test_chaos.py.
"""

import asyncio
import gc
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from tests.apiserver.conftest import FakeAccess
from tests.fakes import apifaults as faults
from tests.fakes import certs, halfopen
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.files import line
from tests.fakes.localscene import UNIX, descriptors, local, resident
from tests.fakes.members import PLURALS, Member, path_of
from tests.fakes.reflecting import check_pace
from tests.fakes.virtual import until

pytestmark = pytest.mark.slow
MINUTES = 10
SPARE = 16 << 20
"""Bytes by which memory may have grown: what Python and the server in it keep for themselves."""
POD = "nginx-7d-abcde"
HERE = line("10.1.0.9", end="").encode()


def event(**found):
    return json.dumps(found).encode() + b"\n"


def each_request(*whats):
    """Do one after the other of these, and again from the first."""
    number = 0

    async def what(server, asked):
        nonlocal number
        number += 1
        return await whats[number % len(whats)](server, asked)

    return Fault(what)


WATCH = {"verb": "watch"}
GARBAGE = b"".join(
    [
        b'{"type":"ADDED","object":{"metadata":{"name":"x"}\n',
        b'{"type":"ADDED","object":{"metadata":null}}\n',
        b'{"type":"ADDED","object":{"metadata":{"name":NaN}}}\n',
        b'{"type":"ADDED","type":"DELETED","object":{"metadata":{"name":"x","name":"y"}}}\n',
        b'{"type":"ADDED","object":' + b"[" * 9000 + b"]" * 9000 + b"}\n",
        event(type="ADDED", object=None),
        event(type="ADDED", object={"metadata": {"name": "x", "labels": None}, "endpoints": None}),
        event(type=7, object={}),
    ]
)
STRAY = event(
    type="DELETED",
    object={"metadata": {"name": "x", "namespace": "nginx-test", "resourceVersion": "x/y"}},
)
FAULTS = {
    "2 down": [Fault(faults.reset)],
    "3 slow": [Fault(faults.late(5))],
    "3 dripping": [Fault(faults.drip(1, 1), **WATCH)],
    "4 half-open": [Fault(faults.stall(0), **WATCH), Fault(faults.hang)],
    "5 gone at once": [Fault(faults.status(410, reason="Expired"))],
    "5 gone in the stream": [Fault(faults.expire(), **WATCH)],
    "7 unauthorized": [Fault(faults.status(401, reason="Unauthorized"))],
    "8 forbidden": [Fault(faults.status(403, reason="Forbidden"), plural="endpointslices")],
    "9 throttled": [
        each_request(
            *(
                faults.status(429, headers={"Retry-After": after})
                for after in ("2", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1000000000")
            )
        )
    ],
    "10 no answers": [
        each_request(
            faults.status(500),
            faults.status(502, html=True),
            faults.status(503, html=True),
            faults.ok(b""),
            faults.ok(b"<html>", content_type="text/html"),
            faults.zipped(),
        )
    ],
    "11 truncated": [Fault(faults.cut(), **WATCH)],
    "11 garbage": [Fault(faults.before_each(GARBAGE), **WATCH)],
    "12 closed at once": [Fault(faults.close, **WATCH)],
    "13 twice and strays": [
        Fault(faults.before_each(STRAY), "watch", "services"),
        Fault(faults.twice(), **WATCH),
    ],
    "13 out of order": [Fault(faults.swapped(), **WATCH)],
}


def cut_all(server):
    """End all connections, so that what is new happens to all."""
    for asked in server.asked[-100:]:
        if asked.request.transport is not None:
            asked.request.transport.abort()


def paces(server, since):
    """Check when each resource and each log was asked for; return the number of requests."""
    times = {}
    for asked in server.asked[since:]:
        if "continue" not in asked.query:
            # Of endpoint slices two sorts are watched, each by its label.
            what = (asked.group, asked.plural, asked.name, asked.query.get("labelSelector"))
            times.setdefault(what, []).append(asked.at)
    for each in times.values():
        check_pace(each)
    return len(server.asked) - since


def forget(server):
    """Let go of what the server, in this very process, remembers of old requests."""
    for asked in server.asked[:-100]:
        asked.request = asked.tamper = None


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


class Watchman:
    """Looks after what must hold during and after each fault."""

    def __init__(self, here, *, spare=SPARE):
        gc.collect()
        self.spare = spare
        self.here, self.began = here, asyncio.get_running_loop().time()
        self.tasks, self.memory = len(asyncio.all_tasks()), resident()
        self.descriptors = descriptors()

    async def looks(self):
        """Check what has to hold at any time."""
        assert "clusterset_exporter_watch_state" in await self.here.metrics()
        assert self.here.ends == []

    async def ends(self, said):
        """Check that nothing is left of the fault; return a line that says so."""
        await self.looks()
        seconds = asyncio.get_running_loop().time() - self.began
        shown = [each["event"] for each in said if each["log_level"] != "debug"]
        (most,) = Counter(shown).most_common(1) or [("", 0)]
        assert most[1] <= seconds, most
        assert not [each for each in said if "exc_info" in each]
        gc.collect()
        assert resident() - self.memory <= self.spare
        # One connection more may be kept for the next request.
        await until(lambda: len(asyncio.all_tasks()) <= self.tasks + 4, within=700)
        await until(lambda: descriptors() <= self.descriptors + 4, within=700)
        grown = (resident() - self.memory) / 1e6
        return f"{grown:+.1f} MB, {most[1]} lines of log in {seconds:.0f} s"


@pytest.mark.parametrize("number", FAULTS)
async def test_after_a_fault_all_is_as_before(member, api, tmp_path, number, capsys):
    server = api.server
    log = await api.pod("nginx-test", POD)
    async with local(api, tmp_path) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        await until(lambda: any("follow" in each.query for each in server.asked), within=10)
        log.write(HERE, UNIX)
        await until(lambda: here.lines() == 1, within=10)
        watchman, since = Watchman(here), len(server.asked)
        for each in FAULTS[number]:
            each.done = 0
        with capture_logs() as said:
            server.faults = list(FAULTS[number])
            cut_all(server)
            await asyncio.sleep(5)
            member.objects.not_ready("cluster2")
            server.faults = []
            await member.change(member.objects.slice_of("cluster2"))
            server.faults = list(FAULTS[number])
            for minute in range(MINUTES):
                log.write(HERE, UNIX + minute + 1)
                await asyncio.sleep(60)
                forget(server)
                await watchman.looks()
            server.faults = []
            asked = paces(server, since)
            # A watch that says nothing is believed for as long as it was to last.
            await here.until_ready("cluster1", within=700)
            await until(lambda: here.lines() == 1 + MINUTES, within=700)
            await until(lambda: not here.troubled(), within=700)
            told = await watchman.ends(said)
        paces(server, since)
        with capsys.disabled():
            sys.stdout.write(f"\n{number}: {asked} requests, {told}")


@pytest.mark.usefixtures("member")
async def test_a_server_that_is_down_at_the_start(api, tmp_path):
    api.server.faults = [Fault(faults.reset)]
    async with local(api, tmp_path) as here:
        await asyncio.sleep(600)
        assert here.page_data.not_ready().startswith(
            "waiting for the API server's clusters.submariner"
        )
        found = await here.metrics()
        # Absent, rather than 0.
        assert not any(name.startswith("clusterset_service") for name in found)
        api.server.faults = []
        await here.until_ready("cluster1", "cluster2", within=31)
        for each in here.cluster.watches():
            assert each.problem == "" or each.state == "not_installed"


@pytest.mark.usefixtures("member")
async def test_refused_credentials_are_counted(api, tmp_path):
    api.server.faults = [Fault(faults.status(401, reason="Unauthorized"), times=3)]
    async with local(api, tmp_path) as here:
        await here.until_ready("cluster1", "cluster2", within=90)
        found = await here.metrics()
        (refused,) = found["clusterset_exporter_api_authentication_errors"].samples
        assert refused.value == 3
        lines = found["clusterset_exporter_watch_bad_lines"].samples
        assert {sample.value for sample in lines} == {0}


async def test_history_that_is_compacted_and_a_kind_that_is_away_for_a_while(member, api, tmp_path):
    group, version, plural = PLURALS["Gateway"]
    async with local(api, tmp_path) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        watchman, since = Watchman(here), len(api.server.asked)
        with capture_logs() as said:
            await api.compact()
            await api.uninstall(group, plural)
            cut_all(api.server)
            await asyncio.sleep(300)
            await watchman.looks()
            assert "gateways" not in here.troubled()
            await api.install(group, plural, "Gateway", version)
            gateway = member.objects.get("Gateway", "gw1")
            await api.done("POST", path_of(gateway, name=False), gateway)
            member.objects.not_ready("cluster2")
            await member.change(member.objects.slice_of("cluster2"))
            await here.until_ready("cluster1", within=100)
            await until(lambda: here.monitor.inventory.clusters["cluster1"].connected, within=100)
            await watchman.ends(said)
        paces(api.server, since)


async def test_a_server_that_another_stands_in_for(tmp_path):
    """With a certificate of an authority that we do not know: nothing is believed of it."""
    server, stranger = ApiServer(), certs.server_context(certs.authority("stranger"))
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(running(server, tls=certs.server_context()))
        api, port = FakeAccess(started), started.port
        member = Member(api, tmp_path)
        await member.fill()
        async with local(api, tmp_path) as here:
            await here.until_ready("cluster1", "cluster2", within=10)
            watchman = Watchman(here)
            with capture_logs() as said:
                await stack.aclose()
                async with running(ApiServer(), tls=stranger, port=port) as other:
                    await asyncio.sleep(600)
                    assert other.asked == []
                    assert "certificate" in next(each.problem for each in here.cluster.watches())
                    await watchman.looks()
                async with running(server, tls=certs.server_context(), port=port):
                    member.objects.not_ready("cluster2")
                    await member.change(member.objects.slice_of("cluster2"))
                    await here.until_ready("cluster1", within=61)
                    await until(lambda: not here.troubled(), within=61)
                    await watchman.ends(said)


async def test_a_way_on_which_all_packets_are_lost(member, api, tmp_path):
    """No reset, no end: what was connected hears nothing more, and is not told so."""
    async with halfopen.way_to(api.url) as way:
        through = FakeAccess(api.server)
        through.url = way.url
        async with local(through, tmp_path) as here:
            await here.until_ready("cluster1", "cluster2", within=10)
            # The far ends of what was lost are in this process, too.
            watchman = Watchman(here, spare=2 * SPARE)
            way.lose()
            member.objects.not_ready("cluster2")
            await member.change(member.objects.slice_of("cluster2"))
            await asyncio.sleep(300)
            assert here.ready() == {"cluster1", "cluster2"}
            forget(api.server)
            # Believed until it should have ended; then it is said, and what was seen last is kept.
            await until(here.troubled, within=400)
            age = max(each.age for each in here.cluster.watches() if each.age < float("inf"))
            assert age >= 300
            await watchman.looks()
            way.find_again()
            await here.until_ready("cluster1", within=400)
            await until(lambda: not here.troubled(), within=700)
            with capture_logs() as said:
                await watchman.ends(said)
