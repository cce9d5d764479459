"""One request: bounded in time and size; errors say what happened; secrets stay where they are."""

import asyncio
import gzip
import socket
import ssl

import pytest
import trustme
from aiohttp import web

from exporter.apiserver.client import RELOAD_EVERY, ApiClient
from exporter.apiserver.credentials import InCluster
from exporter.apiserver.errors import ApiError, CredentialsError, ErrorKind
from tests.fakes import apifaults as faults
from tests.fakes import certs
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.servers import tcp

PODS = "/api/v1/pods"


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        yield made


async def failure(server, fault, *, within=30.0):
    """Return the error of one request and how many seconds it took."""
    server.faults = [Fault(fault)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with ApiClient(Fixed(server.url)) as client:
        with pytest.raises(ApiError) as caught:
            await client.read(PODS, within=within)
    return caught.value, loop.time() - began


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (faults.status(500, html=True), ErrorKind.SERVER, "500 Internal Server Error"),
        (faults.status(503, reason="Away"), ErrorKind.SERVER, "503 Away: status 503"),
        (faults.status(302, html=True), ErrorKind.REFUSED, "302 Found"),
        (faults.status(418, reason="Tea"), ErrorKind.REFUSED, "418 Tea"),
        (faults.status(410, reason="Expired"), ErrorKind.GONE, "410 Expired"),
        (faults.ok(b""), ErrorKind.MALFORMED, "the reply is not JSON"),
        (faults.ok(b"[]"), ErrorKind.MALFORMED, "the reply is not a JSON object"),
        (faults.ok(b'{"a": NaN}'), ErrorKind.MALFORMED, "the reply is not JSON"),
        (faults.ok(b'{"a": ' + b"[" * 100_000), ErrorKind.MALFORMED, "the reply is not JSON"),
        (faults.ok(b"{}", content_type="text/html"), ErrorKind.MALFORMED, "is text/html instead"),
        (faults.zipped(), ErrorKind.MALFORMED, "is encoded as gzip, which was not requested"),
        (faults.reset, ErrorKind.UNREACHABLE, "GET /api/v1/pods: "),
        (faults.hang, ErrorKind.UNREACHABLE, "no answer in time"),
        (faults.hang_after_headers, ErrorKind.UNREACHABLE, "no answer in time"),
    ],
)
async def test_what_a_server_does_wrong_is_an_error_that_says_so(server, fault, kind, message):
    error, took = await failure(server, fault)
    assert error.kind is kind
    assert str(error).startswith("GET /api/v1/pods: ")
    assert message in str(error)
    assert took <= 30.01


async def test_a_redirect_is_not_followed(server):
    there = {"Location": f"{server.url}/api/v1/secrets"}
    await failure(server, faults.status(307, headers=there))
    assert [asked.plural for asked in server.asked] == ["pods"]


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        ({"Retry-After": "1000000000000"}, None, 60.0),
        ({"Retry-After": "-1"}, None, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, None),
        ({"Retry-After": "\u00b2"}, None, None),
        (None, {"retryAfterSeconds": 3}, 3.0),
        (None, {"retryAfterSeconds": -3}, None),
        (None, {"retryAfterSeconds": "soon"}, None),
        (None, None, None),
    ],
)
async def test_how_long_a_server_asks_us_to_wait(server, headers, details, seconds):
    fault = faults.status(429, headers=headers, details=details)
    error, _ = await failure(server, fault)
    assert (error.kind, error.retry_after) == (ErrorKind.THROTTLED, seconds)


async def test_a_reply_that_is_too_large_is_not_kept(server, monkeypatch):
    monkeypatch.setattr("exporter.apiserver.replies.MAX_BODY", 1000)
    error, _ = await failure(server, faults.ok(b"x" * 1_000_000))
    assert error.kind is ErrorKind.TOO_LARGE


async def test_a_reply_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr("exporter.apiserver.replies.MAX_BODY", 100_000)

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            writer.write(b"[" * 10_000)
            await writer.drain()

    async with tcp(talk) as port, ApiClient(Fixed(f"http://127.0.0.1:{port}")) as client:
        with pytest.raises(ApiError, match="larger than") as caught:
            await client.read(PODS)
    assert caught.value.kind is ErrorKind.TOO_LARGE


async def test_what_comes_compressed_is_not_inflated(server):
    bomb = gzip.compress(b'{"message": "BOOM"}' + b" " * 10_000_000)

    async def what(_server, _asked):
        return web.Response(body=bomb, status=500, headers={"Content-Encoding": "gzip"})

    error, _ = await failure(server, what)
    assert str(error) == "GET /api/v1/pods: 500 Internal Server Error"


NOBODY = r"^GET /api/v1/pods: cannot connect to 127\.0\.0\.1:\d+: Connection refused$"


async def test_nobody_at_home():
    async with running(ApiServer()) as server:
        url = server.url
    async with ApiClient(Fixed(url)) as client:
        with pytest.raises(ApiError, match=NOBODY) as caught:
            await client.read(PODS)
    assert caught.value.kind is ErrorKind.UNREACHABLE


async def test_bytes_that_are_no_http():
    async def talk(reader, writer):
        await reader.read(10)
        writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        await writer.drain()

    async with tcp(talk) as port, ApiClient(Fixed(f"http://127.0.0.1:{port}")) as client:
        with pytest.raises(ApiError) as caught:
            await client.read(PODS)
    assert caught.value.kind is ErrorKind.UNREACHABLE


async def test_a_drip_is_bounded_by_the_time_for_all_of_it():
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(1)

    async with tcp(talk) as port, ApiClient(Fixed(f"http://127.0.0.1:{port}")) as client:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError, match="no answer in time"):
            await client.read(PODS, within=20)
        assert asyncio.get_running_loop().time() - began < 21


async def test_quiet_connections_are_kept_alive_by_the_system(server):
    async with ApiClient(Fixed(server.url)) as client:
        about = {"within": 5, "silence": 60, "json": True}
        async with client.stream(PODS, {"watch": "true"}, **about) as chunks:
            end = chunks._reply.connection.transport.get_extra_info("socket")
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


@pytest.fixture
async def account(tmp_path):
    """A service account of a server that wants a token, over TLS."""
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text(certs.pem(certs.authority()))
    return tmp_path


def pod(server, account):
    port = server.url.rsplit(":", 1)[1]
    return InCluster(
        {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}, account
    )


async def test_a_token_that_changes_is_used_at_once(account):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        server.tokens = {"one": "exporter"}
        async with ApiClient(pod(server, account)) as client:
            await client.read(PODS)
            server.tokens = {"two": "exporter"}
            (account / "token").write_text("two\n")
            began = asyncio.get_running_loop().time()
            await client.read(PODS)
            assert asyncio.get_running_loop().time() - began < 1
            assert (client.auth_errors, client.problem, len(server.asked)) == (1, "", 3)


async def test_a_token_is_read_again_before_it_is_refused(account):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        server.tokens = {"one": "exporter", "two": "exporter"}
        async with ApiClient(pod(server, account)) as client:
            (account / "token").write_text("two")
            await client.read(PODS)
            del server.tokens["one"]
            await asyncio.sleep(60)
            await client.read(PODS)
            assert client.auth_errors == 0


async def test_a_token_file_that_is_spoilt_leaves_the_token_we_have(account):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        server.tokens = {"one": "exporter"}
        async with ApiClient(pod(server, account)) as client:
            (account / "token").write_text("\n")
            await asyncio.sleep(61)
            await client.read(PODS)
            assert client.problem.endswith("token: is empty; the kubelet should have written it")
            (account / "token").write_text("one")
            await asyncio.sleep(RELOAD_EVERY)
            await client.read(PODS)
            assert client.problem == ""


async def test_a_token_that_stays_refused_is_asked_for_rarely():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        server.tokens = {"one": "exporter"}
        source = Fixed(server.url, token="other", ca=certs.pem(certs.authority()))
        async with ApiClient(source) as client:
            for _ in range(20):
                with pytest.raises(ApiError, match="401 Unauthorized"):
                    await client.read(PODS)
                await asyncio.sleep(1)
            assert source.loads <= 1 + 20 / RELOAD_EVERY + 1
            assert len(server.asked) == 20
            assert (
                client.problem == "test: the API server refuses the credentials found there (401)"
            )


async def test_a_new_authority_is_trusted_once_it_is_mounted(account):
    other = trustme.CA()
    async with running(ApiServer(), tls=certs.server_context(other)) as server:
        server.tokens = {"one": "exporter"}
        async with ApiClient(pod(server, account)) as client:
            with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED") as caught:
                await client.read(PODS)
            assert caught.value.kind is ErrorKind.TLS
            assert server.asked == []
            (account / "ca.crt").write_text(certs.pem(other))
            await asyncio.sleep(60)
            await client.read(PODS)


async def test_a_server_of_another_name_is_not_spoken_to():
    context = certs.server_context(host="elsewhere")
    async with running(ApiServer(), tls=context) as server:
        ca = certs.pem(certs.authority())
        async with ApiClient(Fixed(server.url, token="x", ca=ca)) as client:
            with pytest.raises(ApiError) as caught:
                await client.read(PODS)
            assert caught.value.kind is ErrorKind.TLS
        # Unless the kubeconfig gives the name.
        named = Fixed(server.url, token="x", ca=ca, server_name="elsewhere")
        async with ApiClient(named) as client:
            await client.read(PODS)


async def test_a_kubeconfig_may_say_that_the_certificate_does_not_matter():
    async with (
        running(ApiServer(), tls=certs.server_context(trustme.CA())) as server,
        ApiClient(Fixed(server.url, token="x", verify=False)) as client,
    ):
        await client.read(PODS)


async def test_a_client_certificate_is_shown():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certs.authority().issue_cert("127.0.0.1").configure_cert(context)
    certs.authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = certs.authority().issue_cert("me")
    async with running(ApiServer(), tls=context) as server:
        ca = certs.pem(certs.authority())
        with_it = {
            "certificate": mine.cert_chain_pems[0].bytes().decode(),
            "key": mine.private_key_pem.bytes().decode(),
        }
        async with ApiClient(Fixed(server.url, ca=ca, **with_it)) as client:
            await client.read(PODS)
        async with ApiClient(Fixed(server.url, ca=ca)) as client:
            with pytest.raises(ApiError):
                await client.read(PODS)


@pytest.mark.parametrize("spoilt", [{"ca": "no pem"}, {"certificate": "no pem", "key": "x"}])
async def test_a_certificate_that_is_none_is_said(spoilt):
    with pytest.raises(CredentialsError, match=r"^test: the CA, the client certificate or its key"):
        async with ApiClient(Fixed("https://127.0.0.1:1", token="x", **spoilt)):
            pass
