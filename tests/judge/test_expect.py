import random
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.expect import Outcome, check, expect
from exporter.judge.spread import is_fair
from exporter.model.clusterset import Export, Profile, Service, ServiceName
from exporter.model.probes import Failure, Question, Record
from exporter.model.verdicts import Policy, Rule
from tests.fakes.nouns import ADDRESSES, NGINX, inventory, probe

V4 = ip_address(ADDRESSES["a"])


def asked(where, pinned=None, *, policy=Policy.LOCAL, record=Record.A, service=NGINX):
    """Put an expectation in a word: the clusters that may answer, or the outcome."""
    told = expect(where, Question(service, pinned, record), policy)
    if told.outcome is not Outcome.ANSWER:
        return " or ".join([told.outcome, *told.others])
    return "".join(sorted(told.clusters)) + ("+" if told.whole else "")


def test_an_export_of_which_the_name_server_knows_nothing_has_no_pinned_name():
    where = inventory(ready="b")
    (service,) = where.services.values()
    left = Export(cluster="a", addresses=(), ready=False, backed=False, named=False)
    service = replace(service, exports=(left, service.exports[1]))
    where = replace(where, services={NGINX: service})
    assert [asked(where, each) for each in (None, "a", "b")] == ["b", "nxdomain", "b"]


# As cluster a sees it. The rows were measured on a real Lighthouse 0.19.
@pytest.mark.parametrize(
    ("where", "plain", "pinned_a", "pinned_b"),
    [
        pytest.param(inventory(), "a", "a", "b", id="all well"),
        pytest.param(inventory(ready="b"), "b", "a", "b", id="not ready here"),
        pytest.param(inventory(connected="acd"), "a", "a", "b", id="the link to b is down"),
        pytest.param(inventory(ready="b", connected="acd"), "nodata", "a", "b", id="both"),
        pytest.param(
            inventory(ready="b", connected="acd", answered="b"),
            "b",
            "a",
            "b",
            id="both, and the gateway's word of it is gone: Lighthouse forgets none",
        ),
        pytest.param(
            inventory(ready="b", exported="b"), "b", "nxdomain", "b", id="not exported here"
        ),
        pytest.param(inventory(ready=""), "nodata", "a", "b", id="ready nowhere"),
        pytest.param(inventory(ready="bc"), "bc", "a", "b", id="two to choose from"),
        pytest.param(inventory(ready="bc", connected="ab"), "b", "a", "b", id="one connected"),
        pytest.param(inventory(connected=""), "a", "a", "b", id="local, even with a dead gateway"),
    ],
)
def test_what_lighthouse_answers(where, plain, pinned_a, pinned_b):
    assert (asked(where), asked(where, "a"), asked(where, "b")) == (plain, pinned_a, pinned_b)


HEADLESS, VIP = {"headless": True}, {"clusterset_ips": ("243.0.0.1",)}
OLD, NEW = (0, 13, 0), (0, 21, 0)


# Read in the versions' own code, see expect's docstring; ready and backed as the columns say.
@pytest.mark.parametrize(
    ("version", "where", "answer"),
    [
        ((0, 12, 2), {"ready": "b", "backed": "ab"}, "a"),
        ((0, 13, 4), {"ready": "b", "backed": "ab"}, "a"),
        ((0, 13, 4), {"ready": "b", "backed": "b"}, "b"),
        ((0, 13, 5), {"ready": "b", "backed": "ab"}, "b"),
        ((0, 14, 2), {"ready": "b", "backed": "ab"}, "a"),
        ((0, 14, 3), {"ready": "b", "backed": "ab"}, "b"),
        ((0, 19, 0), {"ready": "b", "backed": "ab"}, "b"),
        (None, {"ready": "b", "backed": "ab"}, "b"),
        ((0, 18, 0), VIP, "a"),
        ((0, 19, 0), VIP, "unknown+"),
        (None, VIP | {"ready": ""}, "unknown+"),
        (None, HEADLESS, "ab+"),
        (None, HEADLESS | {"ready": "b"}, "b+"),
        (None, HEADLESS | {"connected": ""}, "a+"),
        (None, HEADLESS | {"ready": ""}, "nodata"),
        (None, {"knows_local": False}, "ab"),
        (None, {"knows_local": False, "connected": ""}, "a"),
        (None, {"ready": "b", "connected": "", "knows_gateways": False}, "b"),
    ],
)
def test_versions_and_kinds(version, where, answer):
    assert asked(inventory(**where, version=version)) == answer


@pytest.mark.parametrize(
    ("version", "words"),
    [
        # known plain, unknown service, pinned to one that does not export
        ((0, 12, 2), ("nodata", "silence", "silence")),
        ((0, 12, 3), ("nodata", "nxdomain", "nxdomain")),
        ((0, 13, 1), ("nodata", "silence", "silence")),
        ((0, 13, 2), ("nodata", "nxdomain", "nxdomain")),
        ((0, 20, 0), ("nodata", "nxdomain", "nxdomain")),
        (NEW, ("nodata", "nxdomain or nodata", "nxdomain or nodata")),
    ],
)
def test_aaaa_of_a_service_with_ipv4_only(version, words):
    where, gone = inventory(version=version), ServiceName("nginx-test", "gone")
    assert words == (
        asked(where, record=Record.AAAA),
        asked(where, record=Record.AAAA, service=gone),
        asked(where, "d", record=Record.AAAA),
    )


def test_aaaa_of_a_dual_stack_service():
    exports = (Export(cluster="a", addresses=(ip_address("fd00::1"), V4), ready=True),)
    named = {NGINX: Service(name=NGINX, exports=exports)}
    where = replace(inventory(), services=named, version=NEW)
    told = expect(where, Question(NGINX, record=Record.AAAA), Policy.LOCAL)
    assert told.addresses == {ip_address("fd00::1")}
    assert expect(where, Question(NGINX), Policy.LOCAL).addresses == {V4}
    assert asked(replace(where, version=(0, 20, 0)), record=Record.AAAA) == "nodata"


@pytest.mark.parametrize("profile", [Profile.CILIUM, Profile.GKE])
def test_others_prefer_no_cluster_and_have_no_pinned_names(profile):
    where = inventory(profile=profile)
    assert (asked(where), asked(where, "a")) == ("ab", "nxdomain")
    assert asked(inventory(profile=profile, connected="")) == "ab"
    assert asked(inventory(profile=profile, clusterset_ips=("10.96.7.7",))) == "unknown+"


def test_pinned_names_of_a_headless_service():
    where = inventory(**HEADLESS, ready="b")
    assert (asked(where, "a"), asked(where, "b"), asked(where, "d")) == ("nodata", "b", "nxdomain")
    published = inventory(**HEADLESS, ready="b", backed="ab")
    assert asked(published, "a") == "a"


def test_an_unknown_service_has_no_name():
    gone = replace(inventory(), services={})
    assert (asked(gone), asked(gone, "a")) == ("nxdomain", "nxdomain")


def test_a_spread_service_may_be_served_by_all():
    assert asked(inventory(), policy=Policy.SPREAD) == "ab"
    assert asked(inventory(connected="a"), policy=Policy.SPREAD) == "a"


@given(
    st.sets(st.sampled_from("abcd")),
    st.sets(st.sampled_from("abcd")),
    st.sampled_from(Policy),
    st.sampled_from(Profile),
    st.booleans(),
    st.sampled_from([None, (0, 12, 0), (0, 14, 0), (0, 19, 0), (0, 24, 2)]),
    st.sampled_from([None, *"abcd"]),
    st.sampled_from(Record),
)
def test_no_cluster_is_allowed_that_does_not_export(
    ready, connected, policy, profile, headless, version, pinned, record
):
    where = inventory(
        ready="".join(ready),
        connected="".join(connected),
        profile=profile,
        headless=headless,
        version=version,
    )
    service = where.services[NGINX]
    told = expect(where, Question(NGINX, pinned, record), policy)
    assert told.clusters <= {export.cluster for export in service.exports}
    assert {service.owner_of(address) for address in told.addresses} == told.clusters
    assert (told.outcome is Outcome.ANSWER) is bool(told.clusters)
    if pinned is None and profile is Profile.SUBMARINER:
        assert told.clusters <= ready & (connected | {"a"})


OK = {Rule.RESOLVES: True, Rule.REACHABLE: True}


@pytest.mark.parametrize(
    ("where", "seen", "rules"),
    [
        pytest.param(inventory(), probe(0, by="a"), OK | {Rule.LOCAL_FIRST: True}, id="all well"),
        pytest.param(
            inventory(),
            probe(0, by="b"),
            OK | {Rule.LOCAL_FIRST: False, Rule.CONNECTED_ONLY: True},
            id="answered from afar although ready here",
        ),
        pytest.param(
            inventory(ready="b"),
            probe(0, by="b"),
            OK | {Rule.FAILS_OVER: True, Rule.CONNECTED_ONLY: True},
            id="failed over",
        ),
        pytest.param(
            inventory(ready="b"),
            probe(0, by="a", reply=Failure.CONNECT_REFUSED),
            {Rule.RESOLVES: True, Rule.FAILS_OVER: False},
            id="still answered by the one that is down, which is not asked to serve",
        ),
        pytest.param(
            inventory(ready="bc", connected="abd"),
            probe(0, by="c"),
            {Rule.RESOLVES: True, Rule.FAILS_OVER: False, Rule.CONNECTED_ONLY: False},
            id="sent over a dead link",
        ),
        pytest.param(inventory(), probe(0), {Rule.RESOLVES: False}, id="no answer"),
        pytest.param(
            inventory(),
            probe(0, by="a", reply=Failure.REPLY_TIMEOUT),
            {Rule.RESOLVES: True, Rule.LOCAL_FIRST: True, Rule.REACHABLE: False},
            id="no reply from one that is ready",
        ),
        pytest.param(
            inventory(), probe(0, by="b", pinned="b"), OK | {Rule.PINS: True}, id="pinned"
        ),
        pytest.param(
            inventory(), probe(0, by="a", pinned="b"), OK | {Rule.PINS: False}, id="not pinned"
        ),
        pytest.param(
            inventory(ready="a"),
            probe(0, by="b", pinned="b", reply=Failure.CONNECT_REFUSED),
            {Rule.RESOLVES: True, Rule.PINS: True},
            id="a pinned name of a cluster that is down",
        ),
        pytest.param(inventory(ready=""), probe(0), {}, id="nothing was promised"),
        pytest.param(inventory(), probe(0, answer=Failure.RESOURCE), {}, id="our own fault"),
        pytest.param(
            inventory(ready="b", connected="acd", answered="b"),
            probe(0, by="b", reply=Failure.CONNECT_TIMEOUT),
            {Rule.RESOLVES: True, Rule.FAILS_OVER: True, Rule.CONNECTED_ONLY: False},
            id="Lighthouse has not heard that the link is down",
        ),
        pytest.param(
            inventory(**VIP),
            probe(0, by="243.0.0.1", reply=Failure.CONNECT_TIMEOUT),
            {Rule.RESOLVES: True},
            id="Submariner answers clusterset IPs and routes none",
        ),
        pytest.param(
            inventory(**VIP),
            probe(0, by="a"),
            {Rule.RESOLVES: False},
            id="another address than the clusterset IP",
        ),
        pytest.param(
            inventory(profile=Profile.CILIUM, **VIP),
            probe(0, by="243.0.0.1", reply=Failure.CONNECT_TIMEOUT),
            {Rule.RESOLVES: True, Rule.REACHABLE: False},
            id="Cilium routes them",
        ),
        pytest.param(
            inventory(**HEADLESS),
            probe(0, by="ab"),
            OK | {Rule.CONNECTED_ONLY: True},
            id="headless",
        ),
        pytest.param(
            inventory(**HEADLESS, connected="a"),
            probe(0, by="ab"),
            OK | {Rule.LOCAL_FIRST: False, Rule.CONNECTED_ONLY: False},
            id="headless, one of them not connected",
        ),
    ],
)
def test_rules(where, seen, rules):
    expected = expect(where, seen.question, Policy.LOCAL)
    assert dict(check(where, expected, seen)) == rules


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
