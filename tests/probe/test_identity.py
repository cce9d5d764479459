import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.clusterset import ServiceName
from exporter.probe import identity, replays
from exporter.probe.identity import (
    MAX_AGE,
    MAX_SEARCHES,
    NOWHERE,
    Forgery,
    IdentityChecker,
    ProbeIdentity,
)
from exporter.probe.replays import Replays
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.signed import signed

KEY, NEXT = b"shared", b"the next one"
NOW = 1_794_000_000.0
HERE = inventory(local="a", clusters="abc")
SHARED = inventory(local="a", clusters="abc", clusterset_ips=("243.1.0.1",))
VERIFIED = ProbeIdentity("b", NGINX, verified=True)
UNVERIFIED = ProbeIdentity("b", NGINX, verified=False)


def made(cluster="b", *, key=KEY, at=NOW, nonce="a1", destination="a", service=NGINX):
    return signed(cluster, int(at * 1000), nonce, key=key, destination=destination, service=service)


def read(agent, *keys, where=HERE, now=NOW, logged=None):
    return IdentityChecker(keys).read(agent, where, now=now, logged=logged)


def test_the_form_is_the_documented_one():
    assert made(key=None) == (
        "clusterset-exporter/0.1.0 (cluster=b; service=nginx-test/nginx; id=1794000000000-a1)"
    )


def test_the_signature_is_hmac_sha256_of_cluster_service_destination_and_id():
    text = b"b\nnginx-test/nginx\na\n1794000000000-a1"
    wanted = hmac.new(KEY, text, hashlib.sha256).hexdigest()[:32]
    assert made().endswith(f"; sig={wanted})")


@pytest.mark.parametrize(
    ("agent", "keys", "result"),
    [
        pytest.param(made(), [KEY], VERIFIED, id="signed"),
        pytest.param(made(), [NEXT, KEY], VERIFIED, id="signed with the second key"),
        pytest.param(made(), [NEXT], Forgery.BAD_SIGNATURE, id="another key"),
        pytest.param(made(key=None), [KEY], Forgery.UNSIGNED, id="unsigned"),
        pytest.param(made(key=None), [], UNVERIFIED, id="unsigned, and no key here"),
        pytest.param(made(), [], UNVERIFIED, id="no key here"),
        pytest.param(made("mars"), [KEY], Forgery.UNKNOWN_CLUSTER, id="unknown cluster"),
        pytest.param(made(at=NOW - MAX_AGE - 1), [KEY], Forgery.TOO_OLD, id="old"),
        pytest.param(made(at=NOW + MAX_AGE + 1), [KEY], Forgery.FROM_FUTURE, id="from the future"),
        pytest.param(made(at=NOW - MAX_AGE), [KEY], VERIFIED, id="just in time"),
        pytest.param("clusterset-exporter/1", [KEY], Forgery.MALFORMED, id="only the name"),
        pytest.param(
            made().replace("cluster=b", "cluster=c"), [KEY], Forgery.BAD_SIGNATURE, id="renamed"
        ),
        pytest.param(made() + " ", [KEY], Forgery.MALFORMED, id="something after it"),
    ],
)
def test_read(agent, keys, result):
    assert read(agent, *keys) == result


@pytest.mark.parametrize(
    ("destination", "where", "result"),
    [
        pytest.param("a", HERE, VERIFIED, id="sent here"),
        pytest.param("c", HERE, Forgery.DESTINATION, id="sent to another cluster"),
        pytest.param("mars", HERE, Forgery.BAD_SIGNATURE, id="sent to a cluster unknown here"),
        pytest.param(NOWHERE, HERE, Forgery.DESTINATION, id="the prober did not know where to"),
        pytest.param(NOWHERE, SHARED, VERIFIED, id="to an address of the whole clusterset"),
        pytest.param("a", SHARED, VERIFIED, id="to an own address of a service that has both"),
        pytest.param("c", SHARED, Forgery.DESTINATION, id="to another's of such a service"),
    ],
)
def test_a_probe_that_was_sent_to_one_cluster_is_none_in_another(destination, where, result):
    assert read(made(destination=destination), KEY, where=where) == result


def test_only_a_service_with_clusterset_ips_takes_probes_without_a_destination():
    cart = ServiceName("shop", "cart")
    both = {**SHARED.services, cart: replace(HERE.services[NGINX], name=cart)}
    agent = made(service=cart, destination=NOWHERE)
    assert read(agent, KEY, where=replace(SHARED, services=both)) is Forgery.DESTINATION


def test_an_old_line_is_judged_by_its_own_time():
    """After an hour without the exporter, what its log got meanwhile is no forgery."""
    agent = made(at=NOW - 3600)
    assert read(agent, KEY, logged=NOW - 3600) == VERIFIED
    # Somebody who repeats it later writes another time into the log.
    assert read(agent, KEY, logged=NOW) is Forgery.TOO_OLD
    assert read(made(), KEY, logged=NOW - 3600) == VERIFIED


def test_the_same_probe_counts_once():
    checker = IdentityChecker([KEY])
    assert checker.read(made(), HERE, now=NOW) == VERIFIED
    assert checker.read(made(), HERE, now=NOW) is Forgery.REPLAYED
    # The same id of another cluster is another probe.
    assert isinstance(checker.read(made("c"), HERE, now=NOW), ProbeIdentity)


def test_a_forged_one_does_not_use_up_the_true_one():
    checker = IdentityChecker([KEY])
    for forged in (made(key=NEXT), made(key=None), made(destination="c")):
        assert checker.read(forged, HERE, now=NOW) in set(Forgery)
    assert checker.read(made(), HERE, now=NOW) == VERIFIED


def test_memory_is_bounded_and_what_was_forgotten_is_not_believed(monkeypatch):
    monkeypatch.setattr(replays, "MAX_REMEMBERED", 3)
    checker = IdentityChecker([KEY])
    for n in range(5):
        agent = made(at=NOW + n, nonce=str(n))
        assert isinstance(checker.read(agent, HERE, now=NOW), ProbeIdentity)
    for n in range(5):
        agent = made(at=NOW + n, nonce=str(n))
        assert checker.read(agent, HERE, now=NOW) is Forgery.REPLAYED


def test_a_noisy_source_takes_no_memory_from_others(monkeypatch):
    monkeypatch.setattr(replays, "MAX_IN_ALL", 8)
    seen = Replays()
    assert seen.is_new("quiet", "1", NOW, sources=2)
    assert all(seen.is_new("noisy", str(n), NOW + n, sources=2) for n in range(100))
    assert not seen.is_new("quiet", "1", NOW, sources=2)
    assert seen.is_new("quiet", "2", NOW - 5, sources=2)
    assert not seen.is_new("noisy", "-1", NOW, sources=2)


def test_memory_holds_only_what_could_be_replayed():
    seen = Replays()
    for n in range(3 * replays.KEPT):
        assert seen.is_new("b", str(n), NOW + n, sources=1)
    (source,) = seen._sources.values()
    assert source.count == sum(map(len, source.seconds.values())) == replays.KEPT + 1
    # A log of an hour ago is read late: nothing was dropped because there was too much of it.
    assert seen.is_new("b", "late", NOW, sources=1)


def test_a_flood_of_forgeries_costs_little_each(monkeypatch):
    """Where they were sent to is found out for a few a second. The others fit no signature here."""
    signatures = []
    true_sign = identity._sign
    monkeypatch.setattr(identity, "_sign", lambda *a: signatures.append(a) or true_sign(*a))
    many = inventory(local="a", clusters="abcdefgh")
    checker = IdentityChecker([KEY, NEXT])
    agent = made(destination="h")
    signatures.clear()
    found = [checker.read(agent, many, now=NOW + n / 1e6) for n in range(10_000)]
    assert found == [Forgery.DESTINATION] * MAX_SEARCHES + [Forgery.BAD_SIGNATURE] * (
        10_000 - MAX_SEARCHES
    )
    assert len(signatures) <= 2 * 10_000 + MAX_SEARCHES * 2 * len(many.clusters) + 1
    assert checker.read(agent, many, now=NOW + 1) is Forgery.DESTINATION


@given(st.text())
def test_anything_may_be_logged(text):
    assert read("clusterset-exporter/" + text, KEY) in set(Forgery)
