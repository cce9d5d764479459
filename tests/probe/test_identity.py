import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.clusterset import ServiceName
from exporter.probe import identity
from exporter.probe.identity import MAX_AGE, Forgery, IdentityChecker, ProbeIdentity, user_agent

NGINX = ServiceName("nginx-test", "nginx")
KEY = b"shared"
NOW = 1_794_000_000.0
CLUSTERS = {"east", "west"}
VERIFIED = ProbeIdentity("east", NGINX, verified=True)
UNVERIFIED = ProbeIdentity("east", NGINX, verified=False)


def made(cluster="east", *, key=KEY, at=NOW, nonce="a1"):
    return user_agent(cluster, NGINX, version="0.1.0", key=key, unix_ms=int(at * 1000), nonce=nonce)


def read(agent, *, key=KEY, now=NOW):
    return IdentityChecker(key).read(agent, now_unix=now, clusters=CLUSTERS)


def test_the_form_is_the_documented_one():
    assert made(key=None) == (
        "clusterset-exporter/0.1.0 (cluster=east; service=nginx-test/nginx; id=1794000000000-a1)"
    )


def test_the_signature_is_hmac_sha256():
    text = b"east\nnginx-test/nginx\n1794000000000-a1"
    wanted = hmac.new(KEY, text, hashlib.sha256).hexdigest()[:32]
    assert made().endswith(f"; sig={wanted})")


@pytest.mark.parametrize(
    ("agent", "key", "result"),
    [
        pytest.param(made(), KEY, VERIFIED, id="signed"),
        pytest.param(made(key=None), KEY, UNVERIFIED, id="unsigned"),
        pytest.param(made(), None, UNVERIFIED, id="no key here"),
        pytest.param(made(key=b"other"), KEY, Forgery.BAD_SIGNATURE, id="another key"),
        pytest.param(made("mars"), KEY, Forgery.UNKNOWN_CLUSTER, id="unknown cluster"),
        pytest.param(made(at=NOW - MAX_AGE - 1), KEY, Forgery.TOO_OLD, id="old"),
        pytest.param(made(at=NOW + MAX_AGE + 1), KEY, Forgery.FROM_FUTURE, id="from the future"),
        pytest.param(made(at=NOW - MAX_AGE), KEY, VERIFIED, id="just in time"),
        pytest.param("clusterset-exporter/1", KEY, Forgery.MALFORMED, id="no more than the name"),
        pytest.param(made().replace("east", "west"), KEY, Forgery.BAD_SIGNATURE, id="renamed"),
        pytest.param(made() + " ", KEY, Forgery.MALFORMED, id="something after it"),
    ],
)
def test_read(agent, key, result):
    assert read(agent, key=key) == result


def test_the_same_probe_counts_once():
    checker = IdentityChecker(KEY)
    assert isinstance(checker.read(made(), now_unix=NOW, clusters=CLUSTERS), ProbeIdentity)
    assert checker.read(made(), now_unix=NOW, clusters=CLUSTERS) is Forgery.REPLAYED
    # The same id of another cluster is another probe.
    assert isinstance(checker.read(made("west"), now_unix=NOW, clusters=CLUSTERS), ProbeIdentity)


def test_a_forged_one_does_not_use_up_the_true_one():
    checker = IdentityChecker(KEY)
    forged = made(key=b"other")
    assert checker.read(forged, now_unix=NOW, clusters=CLUSTERS) is Forgery.BAD_SIGNATURE
    assert isinstance(checker.read(made(), now_unix=NOW, clusters=CLUSTERS), ProbeIdentity)


def test_memory_is_bounded_and_what_was_forgotten_is_not_believed(monkeypatch):
    monkeypatch.setattr(identity, "MAX_REMEMBERED", 3)
    checker = IdentityChecker(KEY)
    for n in range(5):
        agent = made(at=NOW + n, nonce=str(n))
        assert isinstance(checker.read(agent, now_unix=NOW, clusters=CLUSTERS), ProbeIdentity)
    for n in range(5):
        agent = made(at=NOW + n, nonce=str(n))
        assert checker.read(agent, now_unix=NOW, clusters=CLUSTERS) is Forgery.REPLAYED


@given(st.text())
def test_anything_may_be_logged(text):
    assert read("clusterset-exporter/" + text) in set(Forgery)
