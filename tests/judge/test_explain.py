"""One look at a service, in words."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.judge.explain import explain, why
from exporter.judge.report import Level
from exporter.model.clusterset import Condition, Profile
from exporter.model.probes import Failure, Record
from exporter.model.traffic import Hits
from exporter.model.verdicts import Policy
from tests.fakes.nouns import NGINX, inventory, probe

DOMAIN = "clusterset.local"
NAME = "nginx.nginx-test.svc.clusterset.local"


def report(plain, pinned=(), *, policy=Policy.LOCAL, logs=None, replicas=None, **words):
    state = inventory(**words)
    looks = plain if isinstance(plain, dict) else {"10.96.0.10:53": plain}
    return explain(
        state,
        state.services[NGINX],
        policy,
        plain=looks,
        pinned=pinned,
        logs=logs or {},
        domain=DOMAIN,
        replicas=replicas or {},
    )


WELL = [probe(0, by="a", pinned="a"), probe(0, by="b", pinned="b")]


def texts(made, level):
    return [f"{each.about}: {each.text}" for each in made.findings if each.level is level]


def test_all_is_well():
    made = report(probe(0, by="a"), WELL)
    assert made.level is Level.OK
    assert (made.serving, made.standbys) == ("a", {"b"})
    assert made.verdict == ("nginx-test/nginx is served by a, as it should be; b would take over.")


def test_a_replica_of_the_name_server_with_a_wrong_answer_is_named():
    replicas = {
        "10.0.0.1:53": probe(0, by="b"),
        "10.0.0.2:53": probe(0, by="a"),
        "10.0.0.3:53": probe(0, answer=Failure.TIMEOUT),
        "10.0.0.4:53": probe(0),
    }
    made = report(probe(0, by="a"), WELL, replicas=replicas)
    more = "is right; if this lasts, the replica is stuck: restart it"
    assert texts(made, Level.FAIL) == [
        f"name server replica 10.0.0.1:53: answers b where a {more}",
        f"name server replica 10.0.0.4:53: answers nobody where a {more}",
    ]


@pytest.mark.parametrize(
    ("words", "policy", "told"),
    [
        ({}, Policy.LOCAL, "exported here and ready, so clients should stay in this cluster"),
        ({"ready": "b", "exported": "ab"}, Policy.LOCAL, "not ready here, so b should answer"),
        (
            {"ready": "bc", "exported": "abc"},
            Policy.LOCAL,
            "not ready here, so b or c should answer",
        ),
        ({"ready": "b", "exported": "b"}, Policy.LOCAL, "not exported here, so b should answer"),
        (
            {"ready": "b", "exported": "ab", "connected": "a"},
            Policy.LOCAL,
            "not ready here, and no ready cluster can be reached, so there should be no answer",
        ),
        ({}, Policy.SPREAD, "policy spread: a or b may answer"),
        (
            {"headless": True},
            Policy.LOCAL,
            "headless: no cluster is preferred, and a or b should be in the answer",
        ),
        (
            {"clusterset_ips": ("243.0.0.1",)},
            Policy.LOCAL,
            "one address for the whole clusterset, which does not tell who serves",
        ),
        (
            {"profile": Profile.CILIUM},
            Policy.LOCAL,
            "no cluster is preferred by cilium: a or b may answer",
        ),
        (
            {"ready": "b", "backed": "ab", "version": (0, 13, 0)},
            Policy.LOCAL,
            "not ready here, but this old Lighthouse counts endpoints that are not",
        ),
    ],
)
def test_why(words, policy, told):
    state = inventory(**words)
    assert why(state, state.services[NGINX], policy) == told


def test_an_answer_from_the_wrong_cluster():
    made = report(probe(0, by="b"), WELL)
    assert made.level is Level.FAIL
    (line,) = texts(made, Level.FAIL)
    assert line.endswith("; should stay in this cluster (local_first)")
    assert (
        made.verdict == "nginx-test/nginx is served by b where a should serve; a would take over."
    )


def test_name_servers_that_do_not_agree():
    made = report({"one": probe(0, by="a"), "two": probe(0, by="b")}, WELL)
    assert "name servers: do not agree" in texts(made, Level.WARN)
    spread = report({"one": probe(0, by="a"), "two": probe(0, by="b")}, WELL, policy=Policy.SPREAD)
    assert "name servers: do not agree" not in texts(spread, Level.WARN)


def test_a_standby_that_would_not_serve():
    pinned = [WELL[0], probe(0, by="b", pinned="b", reply=Failure.CONNECT_TIMEOUT)]
    made = report(probe(0, by="a"), pinned)
    assert made.standbys == frozenset()
    assert made.verdict.endswith("as it should be; nobody would take over.")
    assert any(
        "ready and connected, and would not serve" in each for each in texts(made, Level.WARN)
    )


def test_nobody_to_move_to():
    made = report(probe(0, by="a"), WELL[:1], ready="a", exported="a")
    told = "single_cluster: only one cluster exports it, so there is none to move to"
    assert told in texts(made, Level.WARN)


def test_pinned_names_that_are_not_asked():
    made = report(probe(0, by="a"))
    told = "no_pinned_names: pinned names are not probed, so no standby is tested"
    assert told in texts(made, Level.WARN)


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (probe(0), "no address (nodata, no reply)"),
        (probe(0, answer=Failure.TIMEOUT), "no address (timeout, no reply)"),
        (probe(0, by="9.9.9.9"), "9.9.9.9 (nobody's), replied 200"),
        (probe(0, by="a", reply=Failure.REPLY_TIMEOUT), "100.1.0.10 (a), reply_timeout"),
    ],
)
def test_what_was_seen(look, told):
    made = report(look, WELL)
    assert told in texts(made, Level.FAIL)[0]
    assert made.level is Level.FAIL


def test_what_the_logs_say():
    made = report(
        probe(0, by="a"), WELL, logs={"old.log": {}, "new.log": {"a": Hits(12), "c": Hits(1)}}
    )
    assert [each for each in texts(made, Level.OK) if ".log" in each] == [
        "old.log: no client request among the newest lines",
        "new.log: newest client requests: 12 from a, 1 from c",
    ]


def test_clients_of_a_cluster_that_is_ready_itself_are_worth_a_look():
    made = report(probe(0, by="a"), WELL, logs={"new.log": {"a": Hits(12), "b": Hits(3)}})
    told = "new.log: newest client requests: 12 from a, 3 from b; b is ready itself now"
    assert texts(made, Level.WARN) == [told]


def test_client_requests_that_fail_are_worth_a_look():
    made = report(probe(0, by="a"), WELL, logs={"new.log": {"a": Hits(12, 3), "c": Hits(1)}})
    told = "new.log: newest client requests: 12 from a, 3 with 5xx, 1 from c"
    assert texts(made, Level.WARN) == [told]
    assert made.level is Level.WARN


def test_a_clusterset_ip_is_served_by_who_knows_whom():
    made = report(probe(0, by="243.0.0.1"), WELL, clusterset_ips=("243.0.0.1",))
    assert (made.level, made.serving) == (Level.OK, "unknown")
    assert made.verdict == (
        "nginx-test/nginx is served; its address does not tell by which cluster; "
        "a and b would take over."
    )


def left(*conditions, ready=False):
    """Return a report of a service whose export in cluster a has these conditions."""
    state = inventory(ready="b")
    (service,) = state.services.values()
    export = replace(service.exports[0], addresses=(), ready=ready, backed=ready, named=ready)
    service = replace(service, exports=(export, service.exports[1]), conditions=conditions)
    return explain(
        replace(state, services={NGINX: service}),
        service,
        Policy.LOCAL,
        plain={"10.96.0.10:53": probe(0, by="b")},
        pinned=[probe(0, answer=Failure.NXDOMAIN, pinned="a"), WELL[1]],
        logs={},
        domain=DOMAIN,
    )


def test_an_export_that_is_refused_fails_with_condition_and_reason():
    """Issue 14.19: the Service was deleted, and its ServiceExport is left."""
    made = left(Condition("Valid", False, "ServiceUnavailable"), Condition("Ready", False, "x"))
    refused = "its ServiceExport is refused: Valid=False (ServiceUnavailable)"
    assert texts(made, Level.FAIL) == [f"a (here): exports it, not ready; {refused}"]
    assert made.level is Level.FAIL
    assert made.verdict.startswith("nginx-test/nginx is served by b, a failover;")


def test_a_refused_export_that_is_served_all_the_same_is_a_warning():
    made = left(Condition("Valid", False, "AwaitingSync"), ready=True)
    told = "a (here): exports it, ready; its ServiceExport is refused: Valid=False (AwaitingSync)"
    assert told in texts(made, Level.WARN)


def test_an_export_that_the_name_server_does_not_know_is_a_warning():
    told = "a (here): exports it, not ready; the name server knows nothing of this export"
    assert told in texts(left(Condition("Valid", True)), Level.WARN)


def test_hazards_are_warnings():
    made = report(probe(0, by="a"), WELL[:1], ready="a", exported="a")
    told = "single_cluster: only one cluster exports it, so there is none to move to"
    assert texts(made, Level.WARN) == [told]


def test_a_log_without_host_is_a_warning_that_says_which_and_what_would_work():
    """Issue 14.17."""
    state = inventory()
    made = explain(
        state,
        state.services[NGINX],
        Policy.LOCAL,
        plain={"10.96.0.10:53": probe(0, by="a")},
        pinned=WELL,
        logs={},
        domain=DOMAIN,
        hostless="log x.log: the format has no $host; add it",
    )
    told = "no_host_in_log: log x.log: the format has no $host; add it"
    assert texts(made, Level.WARN) == [told]


def test_ipv6_is_explained_by_ipv6():
    state, six = inventory(), ip_address("fd00::1")
    (service,) = state.services.values()
    exports = [replace(service.exports[0], addresses=(six,)), *service.exports[1:]]
    service = replace(service, exports=tuple(exports))
    seen = probe(0, by="a")
    seen = replace(
        seen,
        question=replace(seen.question, record=Record.AAAA),
        answer=replace(seen.answer, addresses=(six,)),
    )
    made = explain(
        replace(state, services={NGINX: service}),
        service,
        Policy.LOCAL,
        plain={"10.96.0.10:53": seen},
        pinned=WELL,
        logs={},
        domain=DOMAIN,
    )
    assert made.verdict == f"{NGINX} is served by a, as it should be; b would take over."
