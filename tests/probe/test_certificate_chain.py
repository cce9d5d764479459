"""Which end is told of the certificates that a server sends, trusted or not."""

import asyncio
import ssl
from datetime import timedelta
from ipaddress import ip_address

import pytest

from exporter.model.probes import Failure
from exporter.probe.drivers.runner import run_alone
from exporter.probe.http import Request, get
from exporter.probe.tls import Tls, sent_certificates
from exporter.probe.tls_context import make_context
from tests.fakes.certificates import NOW, Issuer, pem
from tests.fakes.servers import HOST, tcp
from tests.probe.test_http import NAME, OK, WELL, says

SOON, LATER, LAST = (NOW + timedelta(days=days) for days in (10, 100, 1000))
PAST = NOW - timedelta(days=1)
ROOT = Issuer(LAST)


def server_side(folder, *sent, key, newest=ssl.TLSVersion.TLSv1_3):
    (folder / "server.pem").write_bytes(pem(*sent, key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(folder / "server.pem")
    return context


async def asked(folder, side):
    (folder / "ca.pem").write_bytes(pem(ROOT.certificate))
    files = {"ca_file": folder / "ca.pem", "cert_file": None, "key_file": None}
    tls = Tls(await asyncio.to_thread(make_context, **files, verify=True))
    async with tcp(says(WELL), ssl=side) as port:
        request = Request(expected=OK, tls=tls)
        return await run_alone(
            get(
                ip_address(HOST),
                port,
                request=request,
                name=NAME,
                user_agent=lambda: "probe",
                within=30.0,
            )
        )


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("between", "own", "told", "failure"),
    [
        pytest.param(SOON, LATER, SOON, None, id="the issuer ends first"),
        pytest.param(LATER, SOON, SOON, None, id="its own ends first"),
        pytest.param(PAST, LATER, PAST, Failure.TLS_EXPIRED, id="the issuer has ended"),
        pytest.param(LATER, PAST, PAST, Failure.TLS_EXPIRED, id="its own has ended"),
    ],
)
async def test_the_first_end_of_the_chain_is_told(tmp_path, between, own, told, failure, newest):
    issuer = Issuer(between, ROOT)
    certificate, key = issuer.issue(NAME, own)
    side = server_side(tmp_path, certificate, issuer.certificate, key=key, newest=newest)
    reply = await asked(tmp_path, side)
    assert (reply.failure, reply.certificate_expires) == (failure, told.timestamp())


async def test_a_root_that_is_sent_counts_as_well(tmp_path):
    other = Issuer(SOON)
    certificate, key = ROOT.issue(NAME, LATER)
    reply = await asked(tmp_path, server_side(tmp_path, certificate, other.certificate, key=key))
    assert (reply.failure, reply.certificate_expires) == (None, SOON.timestamp())


async def test_the_issuer_is_not_sent(tmp_path):
    certificate, key = Issuer(SOON, ROOT).issue(NAME, LATER)
    reply = await asked(tmp_path, server_side(tmp_path, certificate, key=key))
    assert (reply.failure, reply.certificate_expires) == (Failure.TLS_FAILED, LATER.timestamp())


class Public:
    """The TLS connection of Python 3.13 and later."""

    def get_unverified_chain(self):
        return [b"own", b"issuer"]


class Leaf:
    """One that knows no chain."""

    def __init__(self, own):
        self.own = own

    def getpeercert(self, *, binary_form):
        assert binary_form
        return self.own


@pytest.mark.parametrize(
    ("tls", "found"),
    [
        pytest.param(Public(), [b"own", b"issuer"], id="public"),
        pytest.param(Leaf(b"own"), [b"own"], id="its own only"),
        pytest.param(Leaf(None), [], id="none"),
    ],
)
def test_what_python_can_tell(tls, found):
    assert sent_certificates(tls) == found
