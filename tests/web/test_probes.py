"""A probe shown step by step."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.commands.run.history import KEPT, NEWEST, ProbeHistory
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Answer, Failure, Lookup, Question, Reply, ServiceAddress
from exporter.web.probes import shown
from tests.fakes.nouns import NGINX, probe

DOMAIN = "clusterset.local"


def steps(made):
    return [(step["step"], step["result"]) for step in shown(made, "a", DOMAIN)["steps"]]


def replied(**words):
    made = probe(1.0, by="a")
    return replace(made, reply=Reply(address=made.reply.address, port=443, **words))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({"failure": Failure.CONNECT_REFUSED}, [("connect", "connect_refused")]),
        ({"failure": Failure.NO_PORT}, [("connect", "no_port")]),
        ({"failure": Failure.RESOURCE}, [("connect", "resource")]),
        ({"connect": 0.1}, [("connect", "ok")]),
        (
            {"connect": 0.1, "failure": Failure.TLS_EXPIRED, "certificate_expires": 9.0},
            [("connect", "ok"), ("tls", "tls_expired")],
        ),
        (
            {"connect": 0.1, "tls": 0.1, "failure": Failure.REPLY_EMPTY},
            [("connect", "ok"), ("tls", "ok"), ("reply", "reply_empty")],
        ),
        ({"connect": 0.1, "took": 0.1, "status": 200}, [("connect", "ok"), ("reply", "ok")]),
    ],
)
def test_a_reply_ends_with_the_step_that_failed(words, wanted):
    assert steps(replied(**words)) == [("dns", "ok"), *wanted]


def test_each_name_server_and_each_address_is_a_step():
    first = Answer(took=0.1, failure=Failure.SERVFAIL, rcode="SERVFAIL")
    made = probe(1.0, by="ab")
    other = Reply(address=ip_address("100.2.0.10"), port=8080, failure=Failure.CONNECT_TIMEOUT)
    made = replace(made, answer=replace(made.answer, earlier=(first,)), more=(other,))
    assert steps(made) == [
        ("dns", "servfail"),
        ("dns", "ok"),
        ("reply", "ok"),
        ("connect", "connect_timeout"),
    ]


def test_services_and_look_ups_are_shown():
    answer = Answer(took=0.1, services=(ServiceAddress(0, 50, 80, "x"),), negative_ttl=3)
    made = replace(probe(1.0), answer=answer, lookup=Lookup.CLIENT)
    (step,) = shown(made, None, DOMAIN)["steps"]
    assert step["services"] == [{"priority": 0, "weight": 50, "port": 80, "target": "x"}]
    assert (step["record"], step["negative_ttl_seconds"]) == ("A+AAAA", 3)


def test_what_is_kept_is_bounded_and_goes_with_the_service():
    log = ProbeHistory()
    for n in range(400):
        service = ServiceName("shop", f"s{n % 20}")
        log.add(replace(probe(float(n)), question=Question(service)), None)
    assert len(log.newest()) == NEWEST
    assert [seen.unix for seen, _ in log.of(ServiceName("shop", "s3"))] == [
        1_000_000 + n for n in range(383, 183, -20)
    ]
    assert len(log.of(ServiceName("shop", "s3"))) == KEPT
    log.keep([NGINX])
    assert log.newest() == []
    log.keep([NGINX, *(ServiceName("shop", f"s{n}") for n in range(1000))])
    for n in range(20):
        log.add(probe(float(n)), None)
    assert len(log.of(NGINX)) == 2
