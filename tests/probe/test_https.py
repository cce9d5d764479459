"""HTTPS against servers with every kind of certificate."""

import asyncio
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import trustme

from exporter.model.probes import Failure
from exporter.probe.drivers.runner import run_alone
from exporter.probe.http import Request, get
from exporter.probe.tls import Tls
from exporter.probe.tls_context import make_context
from tests.fakes.servers import HOST, open_files, tcp
from tests.probe.test_http import AGENT, NAME, OK, WELL, says

CA, OTHER_CA = trustme.CA(), trustme.CA()
NOW = datetime.now(UTC).replace(microsecond=0)
END = NOW + timedelta(days=30)


def server_side(name=NAME, *, ca=CA, end=END, clients=None, newest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Without session tickets nothing is left to say after the handshake.
    context.num_tickets = 0
    ca.issue_cert(name, not_before=NOW - timedelta(days=90), not_after=end).configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    if newest is not None:
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(CA.cert_pem.bytes())
    return path


async def trusting(ca_file=None, /, *, server_name=None, **words):
    given = {"ca_file": ca_file, "cert_file": None, "key_file": None, "verify": True} | words
    return Tls(await asyncio.to_thread(make_context, **given), server_name)


async def ask(port, tls, *, within=30.0, **request):
    return await run_alone(
        get(
            ip_address(HOST),
            port,
            request=Request(**{"expected": OK, "tls": tls} | request),
            name=NAME,
            user_agent=lambda: AGENT,
            within=within,
        )
    )


async def replied(side, tls, talk=None, **words):
    async with tcp(talk or says(WELL), ssl=side) as port:
        return await ask(port, tls, **words)


async def test_a_reply_and_when_the_certificate_ends(ca_file):
    began = time.monotonic()
    reply = await replied(server_side(), await trusting(ca_file))
    assert (reply.failure, reply.status) == (None, 200)
    assert reply.certificate_expires == END.timestamp()
    assert min(reply.connect, reply.tls, reply.took) > 0
    assert reply.connect + reply.tls + reply.took <= time.monotonic() - began


async def test_the_name_of_the_certificate_may_be_another_than_the_host(ca_file):
    side = server_side("shop.example")
    assert (await replied(side, await trusting(ca_file))).failure is Failure.TLS_FAILED
    named = await trusting(ca_file, server_name="shop.example")
    assert (await replied(side, named)).failure is None
    assert (await replied(side, await trusting(ca_file), host="shop.example:8443")).failure is None


@pytest.mark.parametrize(
    ("side", "failure", "end"),
    [
        pytest.param(
            lambda: server_side(end=NOW - timedelta(days=1)),
            Failure.TLS_EXPIRED,
            NOW - timedelta(days=1),
            id="expired",
        ),
        pytest.param(lambda: server_side(ca=OTHER_CA), Failure.TLS_FAILED, END, id="unknown CA"),
        pytest.param(lambda: server_side("x.example"), Failure.TLS_FAILED, END, id="other name"),
        pytest.param(
            lambda: server_side(newest=ssl.TLSVersion.TLSv1), Failure.TLS_FAILED, None, id="TLS 1.0"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_what_is_not_trusted_is_told_with_its_end(side, failure, end, ca_file):
    reply = await replied(side(), await trusting(ca_file))
    assert reply.failure is failure
    assert reply.certificate_expires == (end and end.timestamp())
    assert reply.status is None


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_that_is_missed(newest, ca_file):
    reply = await replied(server_side(clients=CA, newest=newest), await trusting(ca_file))
    # By TLS 1.3 a client is done before it is refused; this server hangs up without a word.
    late = newest is ssl.TLSVersion.TLSv1_3
    assert reply.failure is (Failure.REPLY_EMPTY if late else Failure.TLS_FAILED)


async def test_nothing_is_sent_to_whom_is_not_trusted(ca_file):
    heard = []

    async def talk(reader, _):
        heard.append(await reader.read())

    await replied(server_side(ca=OTHER_CA), await trusting(ca_file), talk)
    assert b"".join(heard) == b""


async def test_verification_can_be_turned_off(ca_file):
    reply = await replied(server_side(ca=OTHER_CA), await trusting(ca_file, verify=False))
    assert (reply.failure, reply.certificate_expires) == (None, END.timestamp())


async def test_a_client_certificate_is_shown(ca_file, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = CA.issue_cert("prober.example")
    cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    tls = await trusting(ca_file, cert_file=cert, key_file=key)
    assert (await replied(server_side(clients=CA), tls)).failure is None


async def test_a_server_that_speaks_no_tls(ca_file):
    async def talk(reader, writer):
        await reader.read(1)
        writer.write(WELL)

    async with tcp(talk) as port:
        assert (await ask(port, await trusting(ca_file))).failure is Failure.TLS_FAILED


async def test_silence_in_the_handshake(ca_file):
    async def talk(reader, _):
        await reader.read(1)
        await asyncio.sleep(60)

    async with tcp(talk) as port:
        reply = await ask(port, await trusting(ca_file), within=0.1)
    assert (reply.failure, reply.tls) == (Failure.TLS_TIMEOUT, None)
    assert reply.connect is not None


async def test_a_large_reply_comes_whole(ca_file):
    body = b"x" * 60_000 + b"end"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    reply = await replied(
        server_side(), await trusting(ca_file), says(head, body), body=re.compile(b"x{60000}end$")
    )
    assert reply.failure is None


async def test_nothing_is_left_open(ca_file):
    tls = await trusting(ca_file)
    async with tcp(says(WELL), ssl=server_side(ca=OTHER_CA)) as port:
        await ask(port, tls)
        await asyncio.sleep(0.1)
        before = open_files(), len(asyncio.all_tasks())
        for _ in range(5):
            await ask(port, tls)
        async with asyncio.timeout(5):
            # The server closes its ends when it gets round to it.
            while (open_files(), len(asyncio.all_tasks())) > before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def test_a_file_that_is_none_is_an_error(tmp_path):
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for words in ({"ca_file": junk}, {"cert_file": junk}, {"ca_file": tmp_path / "gone"}):
        with pytest.raises(OSError, match=r"."):
            asyncio.run(trusting(**words))
