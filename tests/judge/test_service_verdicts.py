from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.judge.failover import UNEXPLAINED
from exporter.judge.locality import Graces
from exporter.judge.mode import UNMIXED
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.probes import Failure, Question, Record
from exporter.model.verdicts import Locality, Mode, Policy, ProbeVerdict, Reason, Rule
from tests.fakes.nouns import NGINX, inventory, probe

GRACES = Graces(leak=30.0, export=600.0)


def state(*, pinned=True, policy=Policy.LOCAL, stale_after=1000.0):
    return ServiceVerdicts(
        confirm=2,
        pinned=pinned,
        stale_after=stale_after,
        graces_of=lambda _: GRACES,
        policy_of=lambda _: policy,
    )


def begun(**words):
    told = state()
    told.set_inventory(inventory(**words), 0.0)
    return told


def see(told, start, *servers, pinned=None):
    """Probe once a second; return what each probe showed."""
    probes = [
        probe(start + n, by=by, pinned=pinned)
        if by not in {None, "A"}
        else probe(start + n, by="a" if by else None, reply=by and Failure.CONNECT_REFUSED)
        for n, by in enumerate(servers)
    ]
    return [told.probed(each, each.ended) for each in probes]


def view(told, now=0.0):
    (only,) = told.views(now)
    return only


def test_a_failover_and_back():
    told = begun()
    see(told, 1.0, "a", "a", "A")
    told.set_inventory(inventory(ready="b"), 3.5)
    seen = see(told, 4.0, "b", "b")
    assert [[moved.reason for moved in each.failovers] for each in seen] == [[], [Reason.READINESS]]
    assert (view(told).mode, view(told).serving) == (Mode.FAILOVER, "b")
    told.set_inventory(inventory(ready="ab"), 9.5)
    (back,) = see(told, 10.0, "a", "a")[1].failovers
    assert (back.from_cluster, back.to_cluster) == ("b", "a")
    assert (view(told).mode, view(told).since) == (Mode.LOCAL, 10.0)


def test_where_ipv6_is_asked_for_only_ipv6_counts():
    addresses = {"a": ip_address("fd00:1::10"), "b": ip_address("fd00:2::10")}

    def six(**words):
        made = inventory(**words)
        service = made.services[NGINX]
        exports = tuple(replace(e, addresses=(addresses[e.cluster],)) for e in service.exports)
        return replace(made, services={NGINX: replace(service, exports=exports)})

    def seen(at, who):
        made = probe(at, by=str(addresses[who]))
        return replace(made, question=Question(NGINX, None, Record.AAAA))

    told = state()
    told.configure(confirm=2, pinned=True, stale_after=1000.0, record=Record.AAAA)
    told.set_inventory(six(), 0.0)
    for at in (1.0, 2.0):
        told.probed(seen(at, "a"), at + 0.1)
    assert (view(told).expected, view(told).mode) == (frozenset("a"), Mode.LOCAL)
    told.set_inventory(six(ready="b", exported="ab"), 3.0)
    for at in (4.0, 5.0):
        told.probed(seen(at, "b"), at + 0.1)
    assert (view(told).expected, view(told).mode) == (frozenset("b"), Mode.FAILOVER)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"ready": "b"}, Reason.READINESS, id="not ready"),
        pytest.param({"ready": "b", "exported": "b"}, Reason.UNEXPORT, id="not exported"),
    ],
)
def test_the_reason_is_what_changed_about_the_cluster_left(change, reason):
    told = begun()
    see(told, 0.0, "a", "a")
    told.set_inventory(inventory(**change), 2.0)
    assert [moved.reason for moved in see(told, 3.0, "b", "b")[1].failovers] == [reason]


def test_a_dropped_link_is_the_reason_to_leave_a_remote():
    told = begun(ready="bc")
    see(told, 0.0, "b", "b")
    told.set_inventory(inventory(ready="bc", connected="acd"), 2.0)
    see(told, 3.0, "c", "c")
    # b and c took turns all along, so leaving one of them is no move ...
    assert view(told).serving == "c"
    told.set_inventory(inventory(ready="bc", connected="abd"), 6.0)
    # ... but c was the only one that was right, and now it is not.
    (moved,) = see(told, 7.0, "b", "b")[1].failovers
    assert moved.reason is Reason.CONNECTION


def test_only_what_changed_is_hurried():
    told = state()
    assert told.set_inventory(inventory(), 0.0) == {NGINX}
    assert told.set_inventory(inventory(), 1.0) == frozenset()
    assert told.set_inventory(inventory(connected="bcd"), 2.0) == frozenset()
    assert told.set_inventory(inventory(connected="acd"), 3.0) == {NGINX}
    assert told.set_inventory(inventory(ready="a"), 4.0) == {NGINX}


def test_another_outcome_than_last_time_is_restless():
    told = begun()
    seen = see(told, 0.0, "a", "a", None, None, "a")
    assert [each.unstable for each in seen] == [False, False, True, False, True]


def test_promises_are_not_checked_while_a_change_settles():
    told = begun()
    assert see(told, 29.0, "b")[0].checks == ()
    assert dict(see(told, 31.0, "b")[0].checks)[Rule.LOCAL_FIRST] is False
    told.set_inventory(inventory(ready="b"), 40.0)
    assert see(told, 41.0, "a")[0].checks == ()


def test_a_spread_is_checked_once_there_are_answers_enough():
    told = begun(ready="bc")
    fair = see(told, 100.0, *"bc" * 25)
    unfair = see(told, 200.0, *"b" * 50)
    spreads = [value for each in fair + unfair for rule, value in each.checks if rule == "spreads"]
    assert spreads == [True, False]


def test_answers_that_a_cache_repeats_are_one_answer_of_a_spread():
    told = begun(ready="bc")
    checks = []
    for n in range(50 * 30):
        # Each answer is kept for 30 s, and a probe comes every second.
        kept = probe(100.0 + n, by="bc"[n // 30 % 2])
        made = replace(kept, answer=replace(kept.answer, ttl=30 - n % 30))
        checks += told.probed(made, made.ended).checks
    assert [kept for rule, kept in checks if rule is Rule.SPREADS] == [True]


def test_a_standby_is_exported_ready_connected_and_answers_its_pinned_name():
    told = begun(ready="abc", connected="ab")
    see(told, 0.0, "a", "a")
    assert view(told).standbys == frozenset()
    see(told, 2.0, "b", pinned="b")
    see(told, 2.0, "c", pinned="c")
    assert view(told).standbys == {"b"}
    told.probed(probe(3.0, by="b", pinned="b", reply=Failure.CONNECT_TIMEOUT), 3.1)
    assert view(told).standbys == frozenset()


def test_without_pinned_probes_a_standby_is_taken_at_its_word():
    told = state(pinned=False)
    told.set_inventory(inventory(), 0.0)
    see(told, 0.0, "a", "a")
    assert view(told).standbys == {"b"}


def test_in_a_blackout_nobody_serves():
    told = begun()
    see(told, 0.0, "a", "a", None, None)
    assert (view(told).mode, view(told).serving) == (Mode.BLACKOUT, None)


def test_our_own_fault_says_nothing():
    told = begun()
    see(told, 0.0, "a", "a")
    for at in (2.0, 3.0):
        assert told.probed(probe(at, answer=Failure.RESOURCE), at) == ProbeVerdict(destination=None)
    assert view(told).mode is Mode.LOCAL


def test_a_service_that_is_gone_is_forgotten():
    told = begun()
    told.set_inventory(replace(inventory(), services={}), 1.0)
    assert list(told.views(2.0)) == []
    assert see(told, 2.0, "a") == [None]
    assert told.locality(NGINX, "b", 2.0) is Locality.REMOTE


def test_an_answer_that_nobody_exports_is_served_by_unknown():
    told = begun()
    see(told, 0.0, "192.0.2.9", "192.0.2.9")
    assert (view(told).mode, view(told).serving) == (Mode.FAILOVER, "unknown")


def test_locality_follows_readiness():
    told = begun()
    assert told.locality(NGINX, "b", 31.0) is Locality.LEAK
    told.set_inventory(inventory(ready="a"), 32.0)
    assert told.locality(NGINX, "b", 33.0) is Locality.FAILOVER
    assert told.locality(NGINX, "a", 33.0) is Locality.LOCAL
    assert told.locality(NGINX, "c", 33.0) is Locality.REMOTE


def test_a_spread_service_has_no_failovers_while_both_serve():
    told = state(policy=Policy.SPREAD)
    told.set_inventory(inventory(), 0.0)
    seen = see(told, 0.0, *"ababab")
    assert [each.failovers for each in seen] == [()] * 6
    assert view(told).mode is Mode.LOCAL


def test_a_cluster_that_no_longer_exports_is_no_standby_and_its_probe_is_forgotten():
    told = begun()
    see(told, 0.0, "a", "a")
    see(told, 2.0, "b", pinned="b")
    assert view(told).standbys == {"b"}
    told.set_inventory(inventory(ready="a", exported="a"), 5.0)
    assert (view(told).standbys, dict(view(told).pinned)) == (frozenset(), {})


def test_a_move_waits_for_its_cause():
    told = begun()
    see(told, 0.0, "a", "a")
    # The name server of this cluster hears of the change before this exporter does.
    assert [each.failovers for each in see(told, 2.0, "b", "b")] == [(), ()]
    told.set_inventory(inventory(ready="b"), 4.5)
    (moved,) = told.settle()
    assert (moved.reason, list(told.settle())) == (Reason.READINESS, [])


def test_a_move_that_nothing_explains_is_told_without_a_cause():
    told = begun()
    see(told, 0.0, "a", "a")
    seen = see(told, 2.0, *"b" * UNEXPLAINED)
    assert [each.failovers for each in seen[:-1]] == [()] * (UNEXPLAINED - 1)
    (moved,) = seen[-1].failovers
    assert (moved.reason, moved.to_cluster) == (Reason.UNKNOWN, "b")


def test_after_a_sleep_nothing_is_said_until_probes_agree_again():
    told = state(stale_after=47.0)
    told.set_inventory(inventory(), 0.0)
    see(told, 0.0, "a", "a", "A", "A")
    assert (view(told, 4.0).mode, view(told, 51.0).mode) == (Mode.BLACKOUT, Mode.UNKNOWN)
    assert view(told, 51.0).since is None
    told.set_inventory(inventory(ready="b"), 60.0)
    woken = see(told, 1000.0, "b", "b")
    # That it moved is a fact; how long it took, or nobody served, nobody saw.
    (moved,) = woken[1].failovers
    assert (moved.to_cluster, dict(moved.durations)) == ("b", {})
    assert sum(each.outage for each in woken) == 0
    assert (view(told, 1002.0).mode, view(told, 1002.0).since) == (Mode.FAILOVER, 1000.0)


def test_one_nodata_between_good_answers_is_no_blackout():
    told = begun(ready="b")
    # What a racing AAAA question does to an A question while one remote is eligible.
    seen = see(told, 100.0, "b", "b", None, "b", None, "b")
    assert (view(told).mode, sum(each.outage for each in seen)) == (Mode.FAILOVER, 0)
    assert [dict(each.checks)[Rule.RESOLVES] for each in seen] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_an_old_pinned_probe_makes_no_standby():
    told = state(stale_after=47.0)
    told.set_inventory(inventory(), 0.0)
    see(told, 0.0, "a", "a")
    see(told, 0.0, "b", pinned="b")
    assert (view(told, 40.0).standbys, view(told, 60.0).standbys) == ({"b"}, frozenset())


def test_a_clusterset_ip_does_not_tell_who_serves():
    told = begun(clusterset_ips=("243.0.0.1",))
    seen = see(told, 100.0, "243.0.0.1", "243.0.0.1")
    assert (view(told).mode, seen[1].failovers) == (Mode.UNKNOWN, ())
    see(told, 102.0, None, None)
    assert view(told).mode is Mode.BLACKOUT


def test_the_local_cluster_takes_no_turns():
    told = state(policy=Policy.SPREAD)
    told.set_inventory(inventory(), 0.0)
    seen = see(told, 100.0, *"a" * 60)
    assert Rule.SPREADS not in {rule for each in seen for rule, _ in each.checks}


def test_a_headless_service_is_served_by_all_that_are_ready():
    told = begun(headless=True)
    seen = see(told, 0.0, "ab", "ba", "ab", "ba")
    assert ([each.failovers for each in seen], view(told).mode) == ([()] * 4, Mode.MIXED)
    told.set_inventory(inventory(headless=True, ready="b"), 4.0)
    # Nobody moved: b served all along, and goes on alone.
    assert [each.failovers for each in see(told, 5.0, *"b" * UNMIXED)] == [()] * UNMIXED
    assert view(told).mode is Mode.FAILOVER


def test_an_exporter_that_starts_in_the_middle_of_a_failover_counts_none():
    told = begun(ready="b")
    seen = see(told, 0.0, None, "b", "b", "b")
    assert [each.failovers for each in seen] == [()] * 4
    assert (view(told).mode, list(told.settle())) == (Mode.FAILOVER, [])
    told.set_inventory(inventory(), 60.0)
    (back,) = [each for verdict in see(told, 61.0, "a", "a") for each in verdict.failovers]
    assert (back.from_cluster, back.to_cluster) == ("b", "a")
