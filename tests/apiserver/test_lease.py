"""Who leads, whatever happens to requests; times are those of the fake's clock."""

import asyncio
import itertools
import random
import sys
import time
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from exporter.apiserver.client import ApiClient
from exporter.apiserver.lease import Election
from exporter.apiserver.log_place import since
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, serving
from tests.fakes.virtual import until

pytestmark = pytest.mark.slow
LEASES = ("coordination.k8s.io", "leases")


@pytest.fixture
def say(capsys):
    """Print a figure that is to be seen also when all is well."""

    def said(text):
        with capsys.disabled():
            sys.stdout.write(text + "\n")

    return said


class Race:
    """Replicas of one exporter, and when each of them led."""

    def __init__(self, server):
        self.server, self.spans, self.elections, self.tasks = server, [], {}, {}
        self.doubts = []
        self.cut_off = set()
        self.now = asyncio.get_running_loop().time

    def leaders(self):
        return [name for name, election in self.elections.items() if election.leading]

    def certain(self):
        return [name for name, election in self.elections.items() if election.certain]

    def _started(self, name):
        assert self.certain() == [name], f"two leaders are certain: {self.certain()}"
        self.spans.append([name, self.now(), None])

    def _stopped(self, name):
        mine = [span for span in self.spans if span[0] == name]
        mine[-1][2] = self.now()

    def _doubted(self, name):
        assert len(self.certain()) <= 1, f"two leaders are certain: {self.certain()}"
        assert name in self.leaders()
        self.doubts.append((name, self.elections[name].certain, self.now()))

    async def replica(self, name):
        """Take part, over a way of its own to the server."""

        async def way(request):
            if name in self.cut_off:
                await asyncio.Event().wait()
            return await self.server.handle(request)

        async with serving(way) as port, ApiClient(Fixed(f"http://127.0.0.1:{port}")) as client:
            election = Election(client, namespace="mon", name="exporter", identity=name)
            self.elections[name] = election
            await election.run(
                lambda: self._started(name),
                lambda: self._stopped(name),
                lambda: self._doubted(name),
            )

    def enter(self, group, name):
        self.tasks[name] = group.create_task(self.replica(name))

    def leave(self, name):
        self.tasks[name].cancel()

    def handovers(self):
        """Return the seconds from one leader to another; check that one was not certain by then."""
        gaps = []
        for (one, _, ended), (other, began, _) in itertools.pairwise(self.spans):
            doubts = [at for name, certain, at in self.doubts if name == one and not certain]
            ends = [at for at in (ended, *doubts) if at is not None and at <= began]
            assert ends, self.spans
            gaps += [round(began - max(ends), 2)] if one != other else []
        return gaps

    def spec(self):
        return self.server.store.get(*LEASES, "mon", "exporter")["spec"]


@asynccontextmanager
async def racing(*names):
    async with asyncio.TaskGroup() as group:
        race = Race(ApiServer())
        race.group = group
        for name in names:
            race.enter(group, name)
        await until(race.leaders)
        yield race
        for name in list(race.tasks):
            race.leave(name)


async def test_one_leads_and_keeps_leading():
    async with racing("a", "b") as race:
        await asyncio.sleep(600)
        assert len(race.spans) == 1
        puts = [asked for asked in race.server.asked if asked.verb == "update"]
        assert 290 <= len(puts) <= 301
        assert race.spec()["leaseTransitions"] == 0
        (leader,) = race.leaders()
        assert race.elections["b"].holder == race.elections[leader].identity


async def test_an_orderly_end_hands_over_in_less_than_two_seconds(say):
    times = []
    async with racing("a", "b") as race, asyncio.TaskGroup() as group:
        for number in range(20):
            await asyncio.sleep(5 + number / 7)
            (leader,) = race.leaders()
            race.leave(leader)
            await until(lambda before=leader: race.leaders() not in ([], [before]), within=10)
            race.enter(group, leader)
        times = race.handovers()
        for name in list(race.tasks):
            race.leave(name)
    say(f"\nhandover on SIGTERM: {min(times)} to {max(times)} s")
    assert len(times) == 20
    assert max(times) < 2


async def test_a_replica_that_was_killed_takes_its_own_lease_back_at_once():
    """A container that is started again in its pod is the same replica."""
    async with racing("a", "b") as race:
        await asyncio.sleep(60)
        (leader,) = race.leaders()
        # Killed: nothing is released.
        race.elections[leader].leading = False
        race.leave(leader)
        race.spans[-1][2] = race.now()
        began = race.now()
        race.enter(race.group, leader)
        await until(lambda: race.leaders() == [leader], within=10)
        assert race.now() - began < 1
        assert race.spec()["leaseTransitions"] == 0
        assert race.elections[leader].free_since is None
        assert race.elections[leader].inherited[1] is not None


@pytest.mark.parametrize("orderly", [True, False])
async def test_the_next_leader_knows_since_when_nobody_leads(orderly):
    """By the wall clock of the one before: when it stopped, or when it had to at the latest."""
    async with racing("a") as race:
        assert race.elections["a"].free_since is None
        await asyncio.sleep(60)
        before = time.time()
        if orderly:
            race.leave("a")
            await until(lambda: not race.leaders())
        else:
            # As a process that was killed.
            race.cut_off = {"a"}
            before = datetime.fromisoformat(race.spec()["renewTime"]).timestamp() + 10
            await until(lambda: not race.certain())
        race.enter(race.group, "b")
        await until(lambda: race.certain() == ["b"])
        assert before - 0.001 <= race.elections["b"].free_since <= before + 1
        kept = race.elections["b"].free_since
        await asyncio.sleep(60)
        assert race.elections["b"].free_since == kept


@pytest.mark.parametrize("asked", ["before", "after"])
async def test_who_ends_goes_by_the_moment_at_which_the_next_leader_begins(asked):
    """Whoever asks first: who reads logs, or who releases the Lease."""
    async with racing("a") as race:
        await asyncio.sleep(60)
        term = race.elections["a"].term
        assert term.until() != term.until()
        race.leave("a")
        if asked == "before":
            ended = term.until()
        await until(lambda: not race.spec()["holderIdentity"])
        race.enter(race.group, "b")
        await until(lambda: race.certain() == ["b"])
        assert since(race.elections["b"].free_since) == since(term.until())
        if asked == "before":
            assert term.until() == ended


async def test_who_cannot_renew_the_lease_ends_where_the_next_leader_begins():
    async with racing("a") as race:
        await asyncio.sleep(60)
        race.cut_off = {"a"}
        await until(lambda: not race.certain())
        renewed = datetime.fromisoformat(race.spec()["renewTime"]).timestamp()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("exporter.apiserver.lease_spec.time.time", lambda: renewed + 11)
            assert race.elections["a"].term.until() == renewed + 10


@pytest.mark.parametrize("renewed", ["yesterday", 7, None])
async def test_a_lease_that_does_not_say_when_says_nothing(renewed):
    async with racing("a") as race:
        race.leave("a")
        await until(lambda: race.spec()["holderIdentity"] == "")
        found = race.server.store.get(*LEASES, "mon", "exporter")
        spec = found["spec"] | {"renewTime": renewed}
        race.server.store.update(*LEASES, "mon", "exporter", found | {"spec": spec})
        race.enter(race.group, "b")
        await until(lambda: race.leaders() == ["b"])
        assert race.elections["b"].free_since is None


async def test_a_leader_that_is_cut_off_doubts_before_another_begins_and_stops_when_it_sees_it(say):
    async with racing("a", "b") as race:
        for _ in range(10):
            await asyncio.sleep(60)
            (cut,) = race.leaders()
            race.cut_off = {cut}
            began = race.now()
            await until(lambda before=cut: race.certain() not in ([], [before]), within=40)
            name, certain, at = race.doubts[-1]
            assert (name, certain) == (cut, False)
            assert at - began <= 10
            # It cannot see the other one, so it goes on.
            assert set(race.leaders()) == {"a", "b"}
            await asyncio.sleep(100)
            assert set(race.leaders()) == {"a", "b"}
            race.cut_off = set()
            await until(lambda: len(race.leaders()) == 1, within=8)
            assert race.leaders() == race.certain() != [cut]
        times = race.handovers()
    say(f"\nhandover after a partition: {min(times)} to {max(times)} s")
    assert min(times) >= 3


@pytest.mark.parametrize(
    "fault",
    [
        faults.hang,
        faults.lose_answer,
        faults.hang_after_headers,
        faults.status(500),
        faults.status(403),
        faults.status(401),
        faults.ok(b"garbage"),
        faults.reset,
    ],
)
async def test_whatever_requests_come_to_certainty_ends_at_the_deadline_and_leading_does_not(fault):
    async with racing("a", "b") as race:
        await asyncio.sleep(7)
        (leader,) = race.leaders()
        race.server.faults = [Fault(fault)]
        last = race.now()
        await until(lambda: not race.certain(), within=11)
        assert race.now() - last <= 10.02
        assert race.elections[leader].problem
        await asyncio.sleep(600)
        assert (race.leaders(), race.certain()) == ([leader], [])
        race.server.faults = []
        # The lease is long over. Whoever comes first takes it; two never go on.
        await until(race.certain, within=20)
        await until(lambda: race.leaders() == race.certain(), within=8)
        assert race.elections[race.leaders()[0]].problem == ""


async def test_a_leader_takes_its_lease_back_if_nobody_else_took_it():
    async with racing("a") as race:
        await asyncio.sleep(7)
        race.server.faults = [Fault(faults.hang)]
        await asyncio.sleep(600)
        race.server.faults = []
        await until(race.certain, within=8)
        assert len(race.spans) == 1
        assert [certain for _, certain, _ in race.doubts] == [False, True]
        assert race.spec()["leaseTransitions"] == 0


@pytest.mark.parametrize("holder", ["", None])
async def test_a_leader_takes_a_lease_that_is_free(holder):
    async with racing("a") as race:
        await asyncio.sleep(7)
        lease = race.server.store.get(*LEASES, "mon", "exporter")
        free = lease["spec"] | {"holderIdentity": holder}
        race.server.store.update(*LEASES, "mon", "exporter", lease | {"spec": free})
        await until(lambda: race.spec()["holderIdentity"] not in ("", None), within=8)
        assert race.leaders() == race.certain() == ["a"]
        assert len(race.spans) == 1


async def test_the_deadline_counts_from_when_a_renewal_was_sent():
    async with racing("a") as race:
        # Each renewal is done at once, and said so three seconds later.
        race.server.faults = [Fault(faults.late_answer(3.0))]
        await asyncio.sleep(60)
        assert race.leaders() == ["a"]
        sent = [asked.at for asked in race.server.asked if asked.verb == "update"]
        race.server.faults = [Fault(faults.hang)]
        await until(lambda: not race.certain(), within=11)
        assert race.doubts[-1][2] - sent[-1] <= 10.01


async def test_a_lease_that_is_deleted_stays_with_its_leader():
    async with racing("a", "b") as race:
        await asyncio.sleep(20)
        for _ in range(20):
            race.server.store.delete(*LEASES, "mon", "exporter")
            await asyncio.sleep(7.3)
        assert len(race.spans) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"holderIdentity": [], "leaseDurationSeconds": 15},
        {"holderIdentity": 7, "leaseDurationSeconds": "x", "renewTime": [], "leaseTransitions": ""},
        {"holderIdentity": "dead", "leaseDurationSeconds": -1},
        {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2999-01-01T00:00:00Z"},
    ],
)
async def test_a_lease_that_makes_no_sense_ends_leading_and_is_taken_in_time(spec):
    async with racing("a", "b") as race:
        await asyncio.sleep(20)
        lease = race.server.store.get(*LEASES, "mon", "exporter")
        race.server.store.update(*LEASES, "mon", "exporter", lease | {"spec": spec})
        await until(lambda: not race.leaders(), within=3)
        await until(race.leaders, within=20)
        race.handovers()


async def test_a_lease_of_somebody_else_is_respected_from_when_it_was_last_seen_renewed():
    server = ApiServer()
    # His clock is years slow; nobody asks.
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 15}
    server.store.create(*LEASES, "mon", {"metadata": {"name": "exporter"}, "spec": spec})
    async with asyncio.TaskGroup() as group:
        race = Race(server)
        race.enter(group, "a")
        for number in range(5):
            await asyncio.sleep(10)
            lease = server.store.get(*LEASES, "mon", "exporter")
            renewed = spec | {"renewTime": f"2001-01-01T00:00:{number:02}.000000Z"}
            server.store.update(*LEASES, "mon", "exporter", lease | {"spec": renewed})
        last = race.now()
        await until(race.leaders, within=30)
        assert 15 <= race.spans[0][1] - last <= 15 + 2 * 1.6 + 0.1
        assert race.spec()["leaseTransitions"] == 0
        race.leave("a")


@pytest.mark.parametrize("spec", [{}, None, "garbage"])
async def test_a_lease_that_names_nobody_stays_with_its_leader(spec):
    async with racing("a", "b") as race:
        await asyncio.sleep(20)
        (leader,) = race.leaders()
        for _ in range(10):
            lease = race.server.store.get(*LEASES, "mon", "exporter")
            race.server.store.update(*LEASES, "mon", "exporter", lease | {"spec": spec})
            await until(lambda: (race.spec() or {}) not in ({}, "garbage"), within=5)
            await asyncio.sleep(5)
        assert race.leaders() == race.certain() == [leader]
        assert len(race.spans) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_never_two_are_certain_to_lead_and_one_goes_on(seed, say):
    """Partitions, lost answers, hangs and errors at random, until six handovers were seen.

    A seed does not fix how many come in a quarter of an hour: replicas draw their own waits.
    """
    chance = random.Random(seed)
    kinds = [
        faults.hang,
        faults.lose_answer,
        faults.late_answer(3.0),
        faults.late(4.5),
        faults.status(500),
        faults.reset,
    ]
    async with racing("a", "b", "c") as race:
        began = race.now()
        while race.now() - began < 900 or len(race.handovers()) <= 5:
            assert race.now() - began < 7200
            race.cut_off = {name for name in race.tasks if chance.random() < 0.3}
            race.server.faults = [
                Fault(chance.choice(kinds), verb=chance.choice(["", "get", "update"]), times=3)
                for _ in range(chance.randrange(3))
            ]
            if chance.random() < 0.05 and race.server.store.objects[LEASES]:
                race.server.store.delete(*LEASES, "mon", "exporter")
            await asyncio.sleep(chance.uniform(1, 30))
        race.cut_off, race.server.faults = set(), []
        await until(race.certain, within=40)
        await until(lambda: race.leaders() == race.certain(), within=10)
        times = race.handovers()
    say(f"\nseed {seed}: {len(times)} handovers, {min(times)} to {max(times)} s")
    assert len(times) > 5
