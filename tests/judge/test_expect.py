import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.expect import Expectation, Outcome, check, expect, is_fair
from exporter.model import Failure, Policy, Question, Rule
from tests.fakes.nouns import NGINX, inventory, probe

NODATA, NXDOMAIN = Expectation(Outcome.NODATA), Expectation(Outcome.NXDOMAIN)


def answered(clusters: str) -> Expectation:
    return Expectation(Outcome.ANSWER, frozenset(clusters))


# As cluster a sees it. The rows were measured on a real Lighthouse 0.19.
@pytest.mark.parametrize(
    ("where", "plain", "pinned_a", "pinned_b"),
    [
        pytest.param(inventory(), "a", "a", "b", id="all well"),
        pytest.param(inventory(ready="b"), "b", "a", "b", id="not ready here"),
        pytest.param(inventory(connected="acd"), "a", "a", "b", id="the link to b is down"),
        pytest.param(inventory(ready="b", connected="acd"), "", "a", "b", id="both"),
        pytest.param(inventory(ready="b", exported="b"), "b", None, "b", id="not exported here"),
        pytest.param(inventory(ready=""), "", "a", "b", id="ready nowhere"),
        pytest.param(inventory(ready="bc"), "bc", "a", "b", id="two to choose from"),
        pytest.param(inventory(ready="bc", connected="ab"), "b", "a", "b", id="one connected"),
        pytest.param(inventory(connected=""), "a", "a", "b", id="local, even with a dead gateway"),
    ],
)
def test_what_lighthouse_answers(where, plain, pinned_a, pinned_b):
    def asked(pinned: str | None) -> Expectation:
        return expect(where, Question(NGINX, pinned), Policy.LOCAL)

    assert asked(None) == (answered(plain) if plain else NODATA)
    assert asked("a") == (answered(pinned_a) if pinned_a else NXDOMAIN)
    assert asked("b") == answered(pinned_b)


def test_an_unknown_service_has_no_name():
    gone = replace(inventory(), services={})
    assert expect(gone, Question(NGINX), Policy.LOCAL) == NXDOMAIN
    assert expect(gone, Question(NGINX, "a"), Policy.LOCAL) == NXDOMAIN


def test_a_spread_service_may_be_served_by_all():
    assert expect(inventory(), Question(NGINX), Policy.SPREAD) == answered("ab")
    assert expect(inventory(connected="a"), Question(NGINX), Policy.SPREAD) == answered("a")


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")), st.sampled_from(Policy))
def test_no_cluster_is_allowed_that_does_not_export_and_stand_ready(ready, connected, policy):
    where = inventory(ready="".join(ready), connected="".join(connected))
    assert expect(where, Question(NGINX), policy).clusters <= ready & (connected | {"a"})


OK = {Rule.RESOLVES: True, Rule.REACHABLE: True}


@pytest.mark.parametrize(
    ("where", "seen", "by", "rules"),
    [
        pytest.param(
            inventory(), probe(0, by="a"), "a", OK | {Rule.LOCAL_FIRST: True}, id="all well"
        ),
        pytest.param(
            inventory(),
            probe(0, by="b"),
            "b",
            OK | {Rule.LOCAL_FIRST: False, Rule.CONNECTED_ONLY: True},
            id="answered from afar although ready here",
        ),
        pytest.param(
            inventory(ready="b"),
            probe(0, by="b"),
            "b",
            OK | {Rule.FAILS_OVER: True, Rule.CONNECTED_ONLY: True},
            id="failed over",
        ),
        pytest.param(
            inventory(ready="b"),
            probe(0, by="a", reply=Failure.CONNECT_REFUSED),
            "a",
            {Rule.RESOLVES: True, Rule.FAILS_OVER: False},
            id="still answered by the one that is down, which is not asked to serve",
        ),
        pytest.param(
            inventory(ready="bc", connected="abd"),
            probe(0, by="c"),
            "c",
            {Rule.RESOLVES: True, Rule.FAILS_OVER: False, Rule.CONNECTED_ONLY: False},
            id="sent over a dead link",
        ),
        pytest.param(inventory(), probe(0), None, {Rule.RESOLVES: False}, id="no answer"),
        pytest.param(
            inventory(),
            probe(0, by="a", reply=Failure.REPLY_TIMEOUT),
            "a",
            {Rule.RESOLVES: True, Rule.LOCAL_FIRST: True, Rule.REACHABLE: False},
            id="no reply from one that is ready",
        ),
        pytest.param(
            inventory(), probe(0, by="b", pinned="b"), "b", OK | {Rule.PINS: True}, id="pinned"
        ),
        pytest.param(
            inventory(), probe(0, by="a", pinned="b"), "a", OK | {Rule.PINS: False}, id="not pinned"
        ),
        pytest.param(
            inventory(ready="a"),
            probe(0, by="b", pinned="b", reply=Failure.CONNECT_REFUSED),
            "b",
            {Rule.RESOLVES: True, Rule.PINS: True},
            id="a pinned name of a cluster that is down",
        ),
        pytest.param(inventory(ready=""), probe(0), None, {}, id="nothing was promised"),
        pytest.param(inventory(), probe(0, answer=Failure.RESOURCE), None, {}, id="our own fault"),
    ],
)
def test_rules(where, seen, by, rules):
    expected = expect(where, seen.question, Policy.LOCAL)
    assert dict(check(where, expected, seen, by)) == rules


@pytest.mark.parametrize(
    ("counts", "fair"),
    [
        ([50, 50], True),
        ([60, 40], True),
        ([34, 66], True),  # p = 0.0014
        ([33, 67], False),  # p = 0.0007
        ([0, 100], False),
        ([33, 33, 34], True),
        ([55, 25, 20], False),  # p = 0.00002
        ([25, 25, 25, 25], True),
        ([40, 25, 25, 10], False),  # p = 0.0004
    ],
)
def test_fairness(counts, fair):
    assert is_fair(counts) is fair


def test_perfect_chance_is_called_unfair_no_more_often_than_the_level_says():
    dice = random.Random(1)
    unfair = sum(
        not is_fair([rolls.count(side) for side in range(3)], level=0.01)
        for rolls in (dice.choices(range(3), k=90) for _ in range(2000))
    )
    assert unfair <= 32  # 20 wanted, 2.7 standard deviations more
