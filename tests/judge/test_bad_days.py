"""What is said of a service while things break: each test is a case that was staged once."""

import random
from dataclasses import replace

import pytest

from exporter.judge.locality import Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.probes import Failure
from exporter.model.verdicts import Locality, Mode, Policy, Reason
from tests.fakes.nouns import ADDRESSES, NGINX, inventory, probe

GRACES = Graces(leak=30.0, export=600.0)


class Day:
    """One service, looked at by one exporter; a probe each *every* seconds."""

    def __init__(self, *, policy=Policy.LOCAL, every=1.0, **words):
        self.verdicts = ServiceVerdicts(
            confirm=2,
            pinned=True,
            stale_after=1000.0,
            graces_of=lambda _: GRACES,
            policy_of=lambda _: policy,
        )
        self.now, self.every, self.moves, self.modes, self.checks = 0.0, every, [], [], []
        self.becomes(**words)

    def becomes(self, made=None, **words):
        self.verdicts.set_inventory(made or inventory(**words), self.now)
        self.moves += self.verdicts.settle()
        return self

    def see(self, story, pinned=None):
        """Letters serve; capitals are answered and do not reply; a dot has no data."""
        for letter in story:
            failed = Failure.CONNECT_REFUSED if letter.isupper() else None
            by = letter.lower() if letter != "." else None
            made = probe(self.now, by=by, pinned=pinned, reply=failed)
            verdict = self.verdicts.probed(made, made.ended)
            self.moves += verdict.failovers
            self.checks += verdict.checks
            if pinned is None:
                self.modes.append(self.view.mode)
                self.now += self.every
        return self

    @property
    def view(self):
        (view,) = self.verdicts.views(self.now)
        return view

    @property
    def told(self):
        return [(m.from_cluster + m.to_cluster, m.reason) for m in self.moves]

    def locality(self, source, at):
        return self.verdicts.locality(NGINX, source, at, at + 1)


def test_while_a_watch_fails_no_hit_is_a_leak_and_no_promise_is_checked():
    day = Day().see("a" * 40)
    day.verdicts.unseen.failed("endpointslices", day.now)
    checked = len(day.checks)
    day.see("b" * 40)
    assert day.locality("b", day.now - 5) is Locality.UNKNOWN
    assert len(day.checks) == checked
    # Another resource that recovers ends nothing.
    day.verdicts.unseen.failed("gateways", day.now)
    day.verdicts.unseen.recovered("gateways", day.now)
    assert day.locality("b", day.now - 1) is Locality.UNKNOWN
    day.verdicts.unseen.recovered("endpointslices", day.now)
    assert day.locality("b", day.now - 5) is Locality.UNKNOWN
    assert day.locality("b", day.now + 5) is Locality.LEAK


@pytest.mark.parametrize(
    ("words", "policy", "verdict"),
    [
        ({}, Policy.LOCAL, Locality.LEAK),
        ({}, Policy.SPREAD, Locality.SPREAD),
        ({"headless": True}, Policy.LOCAL, Locality.SPREAD),
        ({"clusterset_ips": ("100.9.0.1",)}, Policy.LOCAL, Locality.SPREAD),
        ({"profile": "cilium"}, Policy.LOCAL, Locality.SPREAD),
        ({"profile": "gke"}, Policy.LOCAL, Locality.SPREAD),
        ({"knows_local": False}, Policy.LOCAL, Locality.SPREAD),
    ],
)
def test_where_the_name_server_prefers_nobody_a_crossing_is_no_leak(words, policy, verdict):
    day = Day(policy=policy, **words)
    assert day.locality("b", 100.0) is verdict


def test_a_move_slower_than_two_minutes_has_its_cause():
    day = Day().see("aa").becomes(ready="b", exported="ab").see("A" * 200 + "bb")
    assert day.told == [("ab", Reason.READINESS)]
    assert day.moves[0].durations["served"] == pytest.approx(200, abs=1)


def test_a_cluster_that_comes_back_by_a_new_export_is_reason_export():
    gone = inventory(exported="b", ready="b")
    day = Day().see("aa").becomes(gone).see("bb").becomes().see("aa")
    assert day.told == [("ab", Reason.UNEXPORT), ("ba", Reason.EXPORT)]


def test_an_old_answer_after_an_unexport_is_no_move_to_unknown():
    day = Day().see("aa").becomes(inventory(exported="b", ready="b"))
    day.see("aabab" + "b" * 30)
    assert day.told == [("ab", Reason.UNEXPORT)]


def test_a_new_address_of_a_service_is_no_move_while_old_answers_linger():
    made = inventory()
    service = made.services[NGINX]
    moved = tuple(
        replace(e, addresses=(type(e.addresses[0])("100.1.0.99"),)) if e.cluster == "a" else e
        for e in service.exports
    )
    day = Day().see("aa").becomes(replace(made, services={NGINX: replace(service, exports=moved)}))
    assert (
        str(day.verdicts.owner(NGINX, type(service.exports[0].addresses[0])(ADDRESSES["a"]), 3.0))
        == "a"
    )
    day.see("a" * 10)
    assert (day.told, day.view.mode) == ([], Mode.LOCAL)


@pytest.mark.parametrize("seed", range(200))
def test_one_stuck_replica_of_two_moves_nobody_and_is_mixed(seed):
    """Half an hour of a service: 120 probes, 15 seconds apart."""
    chance = random.Random(seed)
    day = Day(every=15.0).see("a" * 10)
    begun = len(day.modes)
    day.see("".join(chance.choice("ab") for _ in range(120)))
    assert day.told == []
    first = day.modes.index(Mode.MIXED, begun)
    assert first - begun < 20
    assert set(day.modes[first:]) == {Mode.MIXED}


def test_a_replica_stuck_on_a_dead_cluster_is_mixed_too():
    chance = random.Random(1)
    day = Day(every=15.0).see("a" * 10).becomes(ready="b", exported="ab")
    day.see("bb").see("".join(chance.choice("Ab") for _ in range(100)))
    assert day.told == [("ab", Reason.READINESS)]
    assert set(day.modes[40:]) == {Mode.MIXED}


@pytest.mark.parametrize("seed", range(50))
def test_one_of_two_right_clusters_dead_is_degraded_and_no_blackout(seed):
    chance = random.Random(seed)
    day = Day(exported="abc", ready="abc", every=15.0).see("a" * 10)
    day.becomes(exported="abc", ready="bc")
    for _ in range(60):
        day.see("b", pinned="b").see("C", pinned="c").see(chance.choice("bC"))
    assert day.told == [("ab", Reason.READINESS)]
    assert Mode.BLACKOUT not in day.modes
    first = day.modes.index(Mode.DEGRADED)
    assert set(day.modes[first:]) == {Mode.DEGRADED}
    assert 0 < day.view.share < 1
    assert day.verdicts._tracks.by_name[NGINX].failover.outage == 0


def test_all_right_clusters_dead_is_a_blackout():
    day = Day(exported="abc", ready="bc").see("bcbcbc")
    day.see("B", pinned="b").see("C", pinned="c").see("BCBCBC")
    assert day.view.mode is Mode.BLACKOUT


def test_degraded_ends_when_the_dead_one_serves():
    day = Day(exported="abc", ready="bc").see("bcbc").see("bCbCbC")
    assert day.view.mode is Mode.DEGRADED
    assert day.see("bcbc").view.mode is Mode.FAILOVER


def test_a_headless_name_is_never_local_while_others_serve():
    day = Day(headless=True)
    addresses = [
        type(e.addresses[0])(str(e.addresses[0])) for e in inventory().services[NGINX].exports
    ]
    for _ in range(10):
        made = probe(day.now, by="a")
        made.answer.addresses = tuple(addresses)
        day.verdicts.probed(made, made.ended)
        day.now += 1
    assert day.view.mode is Mode.MIXED


def test_a_service_that_goes_and_comes_back_in_an_eviction():
    empty = replace(inventory(), services={})
    day = Day(every=5.0).see("aaaa").becomes(empty)
    day.now += 3
    day.becomes(inventory(exported="b", ready="b")).see("bb")
    assert day.told[0][0] == "ab"
    assert day.view.mode is Mode.FAILOVER
    assert day.locality("a", day.now) is Locality.LOCAL


def test_hits_from_a_cluster_whose_young_export_vanished_are_a_failover():
    day = Day(exported="ac", ready="ac", local="a")
    day.now = 1000.0
    day.becomes(exported="abc", ready="abc")
    day.now = 1010.0
    day.becomes(exported="ac", ready="ac")
    assert day.locality("b", 1020.0) is Locality.FAILOVER


def test_a_service_without_a_known_port_is_neither_dark_nor_out():
    day = Day()
    for _ in range(4):
        made = probe(day.now, by="a", reply=Failure.NO_PORT)
        day.verdicts.probed(made, made.ended)
        day.now += 1
    assert day.view.mode is Mode.LOCAL
    assert day.verdicts._tracks.by_name[NGINX].failover.outage == 0


def test_a_restart_of_a_third_of_a_second_is_not_mixed():
    day = Day(every=0.1).see("a" * 20).becomes(ready="b", exported="ab").see("bab")
    day.becomes().see("ab" + "a" * 30)
    assert Mode.MIXED not in day.modes
    assert day.view.mode is Mode.LOCAL


def test_a_service_that_was_gone_for_moments_moves_because_its_export_went():
    empty = replace(inventory(), services={})
    day = Day(every=5.0).see("aaaa").becomes(empty)
    day.now += 3
    day.becomes(inventory(exported="b", ready="b")).see("bb")
    assert day.told == [("ab", Reason.UNEXPORT)]
    # Nobody saw in which of these seconds the export went.
    assert day.moves[0].accuracy["served"] >= 3


def test_mixed_ends_though_a_fifth_of_the_packets_are_lost():
    day = Day(every=15.0).see("aaaaaaaabababab")
    assert day.view.mode is Mode.MIXED
    day.see("aaaa." * 5)
    assert day.view.mode is Mode.LOCAL


def test_a_name_server_that_knows_of_a_change_first_is_not_mixed():
    day = Day(every=0.2).see("a" * 200).see("babab")
    assert day.view.mode is Mode.MIXED
    day.becomes(ready="b", exported="ab")
    assert day.view.mode is Mode.LOCAL
    assert day.see("abbb").view.mode is Mode.FAILOVER


def test_an_answer_of_a_stuck_replica_is_not_the_beginning_of_a_later_move():
    day = Day(every=15.0).see("a" * 8).see("abab" * 5).see("bb")
    assert day.view.mode is Mode.MIXED
    day.becomes(ready="b", exported="ab").see("bb")
    assert day.told == [("ab", Reason.READINESS)]
    assert day.moves[0].durations["served"] < 16
