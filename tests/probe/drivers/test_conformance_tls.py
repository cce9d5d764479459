"""TLS of probes, whichever driver runs them: chains, client certificates, how packets are cut."""

import asyncio
import ssl
from datetime import timedelta
from ipaddress import ip_address

import pytest
import trustme

from exporter.model.probes import Failure
from exporter.probe.drivers.runner import run_alone
from exporter.probe.drivers.waits import together
from exporter.probe.http import Request, get
from exporter.probe.tls import Tls
from exporter.probe.tls_context import make_context
from tests.fakes.certificates import NOW, Issuer, pem
from tests.fakes.servers import HOST, tcp

NAME = "nginx.nginx-test.svc.clusterset.local"
SOON, LATER = NOW + timedelta(days=10), NOW + timedelta(days=100)
CA, CLIENTS, OTHERS = trustme.CA(), trustme.CA(), trustme.CA()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


async def talk(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    await writer.drain()


def server_side(*, newest=ssl.TLSVersion.TLSv1_3, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    CA.issue_cert(NAME).configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def client_side(folder, *, issuer=None, ca=None):
    (folder / "ca.pem").write_bytes(ca or CA.cert_pem.bytes())
    cert = key = None
    if issuer is not None:
        cert, key = folder / "cert.pem", folder / "key.pem"
        made = issuer.issue_cert("prober.example")
        cert.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
    files = {"ca_file": folder / "ca.pem", "cert_file": cert, "key_file": key}
    return Tls(await asyncio.to_thread(make_context, **files, verify=True))


def one(port, tls):
    request = Request(expected=frozenset({200}), tls=tls)
    return get(
        ip_address(HOST), port, request=request, name=NAME, user_agent=lambda: "probe", within=30.0
    )


async def test_the_issuer_that_ends_first_is_told(driver, tmp_path):
    root = Issuer(LATER)
    issuer = Issuer(SOON, root)
    certificate, key = issuer.issue(NAME, LATER)
    (tmp_path / "server.pem").write_bytes(pem(certificate, issuer.certificate, key))
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    side.load_cert_chain(tmp_path / "server.pem")
    tls = await client_side(tmp_path, ca=pem(root.certificate))
    async with tcp(talk, ssl=side) as port:
        reply = await run_alone(one(port, tls), driver)
    assert (reply.failure, reply.certificate_expires) == (None, SOON.timestamp())


@pytest.mark.parametrize("newest", VERSIONS)
@pytest.mark.parametrize(("issuer", "well"), [(CLIENTS, True), (OTHERS, False), (None, False)])
async def test_a_server_that_wants_a_client_certificate(driver, tmp_path, issuer, well, newest):
    tls = await client_side(tmp_path, issuer=issuer)
    async with tcp(talk, ssl=server_side(clients=CLIENTS, newest=newest)) as port:
        reply = await run_alone(one(port, tls), driver)
    if well:
        assert (reply.failure, reply.status) == (None, 200)
    else:
        # By TLS 1.3 a client is done before it is refused, with an alert or without a word.
        refused = {Failure.TLS_FAILED, Failure.REPLY_EMPTY}
        assert reply.failure in (refused if newest is VERSIONS[1] else {Failure.TLS_FAILED})
        assert reply.status is None


async def passed_on(reader, writer, part):
    """Pass bytes on in parts of *part* bytes, until they end."""
    while data := await reader.read(part):
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)
    writer.close()


@pytest.mark.parametrize("newest", VERSIONS)
@pytest.mark.parametrize("part", [1, 7, 1000])
async def test_the_answer_comes_in_parts(driver, tmp_path, newest, part):
    tls = await client_side(tmp_path)
    async with tcp(talk, ssl=server_side(newest=newest)) as port:

        async def relay(reader, writer):
            to_reader, to_writer = await asyncio.open_connection(HOST, port)
            try:
                await asyncio.gather(
                    passed_on(to_reader, writer, part), passed_on(reader, to_writer, 65536)
                )
            finally:
                to_writer.transport.abort()

        async with tcp(relay) as front:
            reply = await run_alone(one(front, tls), driver)
    assert (reply.failure, reply.status) == (None, 200)


async def test_many_at_once(driver, tmp_path):
    tls = await client_side(tmp_path)
    async with tcp(talk, ssl=server_side()) as port:
        replies = await run_alone(together([one(port, tls) for _ in range(20)]), driver)
    assert [each.failure for each in replies] == [None] * 20


async def test_a_peer_that_sends_tls_without_end_is_cut_at_the_deadline(driver, tmp_path):
    tls = await client_side(tmp_path)

    async def flood(_, writer):
        # Parts of HelloRequest, which a client ignores until the handshake begins.
        while True:
            writer.write(b"\x16\x03\x03\x00\x01\x00" * 10_000)
            await writer.drain()

    async with tcp(flood) as port:
        request = Request(expected=frozenset({200}), tls=tls)
        asked = get(
            ip_address(HOST), port, request=request, name=NAME, user_agent=lambda: "", within=0.5
        )
        reply = await run_alone(asked, driver)
    assert reply.failure in {Failure.TLS_FAILED, Failure.TLS_TIMEOUT}
