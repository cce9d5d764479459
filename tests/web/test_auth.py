"""Who may come in, over real sockets."""

import asyncio
import ssl
import threading
from contextlib import asynccontextmanager

import aiohttp
import bcrypt
import pytest
import trustme

from exporter.config.yaml_reader import SettingsError
from exporter.web.app import Pages, serve
from exporter.web.auth import (
    CHECKS_AT_ONCE,
    MAX_WAITING,
    WAITING_BY_ADDRESS,
    TooManyLoginsError,
    WebAuth,
)
from exporter.web.entry import Entry
from exporter.web.limits import Limits
from tests.fakes import scenes
from tests.fakes.virtual import until

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
USERS = f'basic_auth_users: {{alice: "{HASH}"}}\n'
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key%s}\n"


@pytest.fixture
def authority():
    return trustme.CA()


def certify(authority, folder, name="127.0.0.1"):
    made = authority.issue_cert(name)
    made.private_key_pem.write_to_path(folder / "server.key")
    made.cert_chain_pems[0].write_to_path(folder / "server.pem")


def write(folder, text):
    path = folder / "web.yaml"
    path.write_text(text)
    return path


@asynccontextmanager
async def guarded(path, **limits):
    scene = scenes.steady()

    async def reload():
        return None

    pages = Pages(
        metrics=scene.render,
        status=scene.page_data.status,
        page=lambda _: "page",
        not_ready=scene.page_data.not_ready,
        reload=reload,
    )
    auth = await asyncio.to_thread(WebAuth, path)
    listen = [("127.0.0.1", 0)]
    entry = Entry(auth=auth, lifecycle=True)
    options = {"telemetry_path": "/metrics", "entry": entry, "limits": Limits(**limits)}
    async with serve(pages, listen, **options) as ((host, port),):
        yield f"{host}:{port}", auth


async def status(url, method="GET", **options):
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        session.request(method, url, **options) as reply,
    ):
        return reply.status


def login(user, password):
    return {"headers": {"Authorization": aiohttp.encode_basic_auth(user, password)}}


async def test_a_password_is_asked_for_but_for_health(tmp_path):
    async with guarded(write(tmp_path, USERS)) as (where, _):
        url = f"http://{where}/metrics"
        assert [
            await status(url),
            await status(url, **login("alice", "wrong")),
            await status(url, **login("bob", "secret")),
            await status(url, **login("alice", "x" * 200)),
            await status(url, headers={"Authorization": "Basic %%%"}),
            await status(url, headers={"Authorization": "Bearer secret"}),
        ] == [401] * 6
        assert [await status(url, **login("alice", "secret")) for _ in range(2)] == [200, 200]
        assert await status(f"http://{where}/-/healthy") == 200
        assert await status(f"http://{where}/-/ready") == 200
        assert await status(f"http://{where}/api/v1/status") == 401
        reload = {"url": f"http://{where}/-/reload", "method": "POST"}
        assert await status(**reload) == 401
        assert await status(**reload, **login("alice", "secret")) == 200


async def test_users_are_read_again_and_a_broken_file_opens_no_door(tmp_path):
    path = write(tmp_path, USERS)
    async with guarded(path) as (where, auth):
        url = f"http://{where}/metrics"
        path.write_text("basic_auth_users: {alice: secret}\n")
        await asyncio.to_thread(auth.refresh)
        assert [await status(url), await status(url, **login("alice", "secret"))] == [401, 200]
        path.write_text(USERS.replace("alice", "carol"))
        await asyncio.to_thread(auth.refresh)
        assert await status(url, **login("alice", "secret")) == 401
        assert await status(url, **login("carol", "secret")) == 200


async def test_a_renewed_certificate_needs_no_restart(tmp_path, authority):
    certify(authority, tmp_path)
    async with guarded(write(tmp_path, TLS % "")) as (where, auth):
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        url = f"https://{where}/metrics"
        assert await status(url, ssl=trusting) == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await status(url)
        other = trustme.CA()
        await asyncio.to_thread(certify, other, tmp_path)
        await asyncio.to_thread(auth.refresh)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await status(url, ssl=trusting)
        other.configure_trust(trusting)
        assert await status(url, ssl=trusting) == 200


async def test_a_client_certificate_is_asked_for(tmp_path, authority):
    certify(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    wanted = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
    async with guarded(write(tmp_path, TLS % wanted)) as (where, _):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with pytest.raises(aiohttp.ClientError):
            await status(f"https://{where}/metrics", ssl=context)
        authority.issue_cert("client@example.org").configure_cert(context)
        assert await status(f"https://{where}/metrics", ssl=context) == 200


async def test_what_is_renewed_holds_for_the_next_connection(tmp_path, authority):
    certify(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    path = write(tmp_path, TLS % "")
    async with guarded(path) as (where, auth):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        url = f"https://{where}/metrics"
        assert await status(url, ssl=context) == 200
        path.write_text(TLS % ", min_version: TLS13")
        await asyncio.to_thread(auth.refresh)
        with pytest.raises(aiohttp.ClientError):
            await status(url, ssl=context)
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        assert await status(url, ssl=context) == 200
        wanted = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
        path.write_text(TLS % wanted)
        await asyncio.to_thread(auth.refresh)
        with pytest.raises(aiohttp.ClientError):
            await status(url, ssl=context)
        authority.issue_cert("client@example.org").configure_cert(context)
        assert await status(url, ssl=context) == 200


async def test_tls_handshakes_that_never_come_take_no_place_from_others(tmp_path, authority):
    certify(authority, tmp_path)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    limits = {"connections": 12, "connections_by_address": 4, "handshake_seconds": 60.0}
    async with guarded(write(tmp_path, TLS % ""), **limits) as (where, _):
        held = [await asyncio.open_connection(*where.split(":")) for _ in range(300)]
        for source in ("127.0.0.2", "127.0.0.1"):
            connector = aiohttp.TCPConnector(local_addr=(source, 0), ssl=trusting)
            async with aiohttp.ClientSession(connector=connector) as session:
                for path in ("/-/healthy", "/metrics"):
                    async with session.get(f"https://{where}{path}") as reply:
                        assert reply.status == 200
        for _, writer in held:
            writer.close()


async def test_a_handshake_that_never_comes_is_not_waited_for(tmp_path, authority):
    certify(authority, tmp_path)
    async with guarded(write(tmp_path, TLS % ""), handshake_seconds=0.05) as (where, _):
        reader, writer = await asyncio.open_connection(*where.split(":"))
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_only_successes_are_remembered_and_few_passwords_are_checked_at_once(
    tmp_path, monkeypatch
):
    checked, go_on = [], threading.Event()

    def check(password, _):
        checked.append(password)
        go_on.wait(10)
        return password == b"secret"

    monkeypatch.setattr("exporter.web.auth._matches", check)
    auth = await asyncio.to_thread(WebAuth, write(tmp_path, USERS))

    def come(password, client="10.0.0.1"):
        return auth.allows(login("alice", password)["headers"]["Authorization"], client)

    waiting = [asyncio.create_task(come("wrong", f"10.0.1.{n}")) for n in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyLoginsError):
        await come("secret")
    go_on.set()
    assert await asyncio.gather(*waiting) == [False] * MAX_WAITING
    assert [await come("secret") for _ in range(3)] == [True] * 3
    assert [await come("wrong") for _ in range(2)] == [False] * 2
    assert checked.count(b"secret") == 1
    assert checked.count(b"wrong") == MAX_WAITING + 2


async def test_who_is_known_stays_known_when_something_else_is_renewed(tmp_path, monkeypatch):
    checked = []

    def check(password, hashed):
        checked.append((password, hashed))
        return password == b"secret"

    monkeypatch.setattr("exporter.web.auth._matches", check)
    path = write(tmp_path, USERS)
    auth = await asyncio.to_thread(WebAuth, path)
    secret = login("alice", "secret")["headers"]["Authorization"]
    assert await auth.allows(secret, "10.0.0.1")
    path.write_text(USERS + "http_server_config: {headers: {X-XSS-Protection: '0'}}\n")
    await asyncio.to_thread(auth.refresh)
    assert auth.headers == {"X-XSS-Protection": "0"}
    assert await auth.allows(secret, "10.0.0.1")
    assert len(checked) == 1
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    path.write_text(f'basic_auth_users: {{alice: "{other}"}}\n')
    await asyncio.to_thread(auth.refresh)
    await auth.allows(secret, "10.0.0.1")
    assert checked[1:] == [(b"secret", other.encode())]


async def test_a_rate_limit_and_headers_that_are_renewed_hold_for_the_next_request(tmp_path):
    path = write(tmp_path, USERS)
    async with guarded(path) as (where, auth):
        url = f"http://{where}/metrics"
        assert [await status(url, **login("alice", "secret")) for _ in range(3)] == [200] * 3
        limit = "rate_limit: {interval: 1h, burst: 2}\n"
        path.write_text(USERS + limit + "http_server_config: {headers: {X-XSS-Protection: '0'}}\n")
        await asyncio.to_thread(auth.refresh)
        # Wrong passwords are counted too. Beyond the limit no password is looked at.
        answers = [await status(url, **login("alice", each)) for each in ("x", "secret", "secret")]
        assert answers == [401, 200, 429]
        assert await status(f"http://{where}/-/healthy") == 200
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            assert reply.headers["X-XSS-Protection"] == "0"


def test_a_rate_limit_lets_one_more_in_after_each_interval(tmp_path):
    times = [0.0, 0.0, 0.0, 0.0, 1.9, 2.0, 2.1, 100.0, 100.0, 100.0, 100.0]
    path = write(tmp_path, "rate_limit: {interval: 2s, burst: 3}\n")
    auth = WebAuth(path, clock=iter([0.0, *times]).__next__)
    let_in = [auth.within_rate() for _ in times]
    assert let_in == [True] * 3 + [False] * 2 + [True, False] + [True] * 3 + [False]


async def test_wrong_passwords_do_not_keep_a_known_one_out(tmp_path, monkeypatch):
    go_on, at_once, most = threading.Event(), [], []

    def check(password, _):
        at_once.append(password)
        most.append(len(at_once))
        if password != b"secret":
            go_on.wait(10)
        at_once.remove(password)
        return password == b"secret"

    monkeypatch.setattr("exporter.web.auth._matches", check)
    async with guarded(write(tmp_path, USERS)) as (where, _):
        url = f"http://{where}/metrics"
        assert await status(url, **login("alice", "secret")) == 200
        flood = [
            asyncio.create_task(status(url, **login("alice", f"wrong{n}")))
            for n in range(MAX_WAITING + 10)
        ]
        # Most are asked to come back; the others wait for a check.
        done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in done} == {429}
        assert [await status(url, **login("alice", "secret")) for _ in range(5)] == [200] * 5
        go_on.set()
        answers = await asyncio.gather(*flood)
    assert sorted(answers) == [401] * WAITING_BY_ADDRESS + [429] * (len(flood) - WAITING_BY_ADDRESS)
    assert max(most) <= CHECKS_AT_ONCE


async def test_wrong_passwords_of_one_address_do_not_keep_a_first_right_one_out(
    tmp_path, monkeypatch
):
    go_on = threading.Event()

    def check(password, _):
        go_on.wait(10)
        return password == b"secret"

    monkeypatch.setattr("exporter.web.auth._matches", check)
    async with guarded(write(tmp_path, USERS)) as (where, auth):
        url = f"http://{where}/metrics"

        async def come_from(address, password):
            connector = aiohttp.TCPConnector(local_addr=(address, 0))
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(url, **login("alice", password)) as reply,
            ):
                return reply.status

        flood = [asyncio.create_task(come_from("127.0.0.2", f"wrong{n}")) for n in range(16)]
        await until(lambda: sum(map(asyncio.Task.done, flood)) == 16 - WAITING_BY_ADDRESS)
        first = asyncio.create_task(come_from("127.0.0.3", "secret"))
        await until(lambda: first.done() or auth._waiting["127.0.0.3"])
        go_on.set()
        assert await first == 200
        answers = await asyncio.gather(*flood)
    assert answers.count(401) == WAITING_BY_ADDRESS
    assert not auth._waiting


async def test_the_last_places_are_for_addresses_that_have_none(tmp_path, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr("exporter.web.auth._matches", lambda *_: go_on.wait(10))
    auth = await asyncio.to_thread(WebAuth, write(tmp_path, USERS))
    header = login("alice", "wrong")["headers"]["Authorization"]

    async def answer(client):
        try:
            return await auth.allows(header, client)
        except TooManyLoginsError:
            return None

    crowd = [f"10.0.0.{n}" for n in range(4) for _ in range(WAITING_BY_ADDRESS)]
    tasks = [asyncio.create_task(answer(each)) for each in [*crowd, "10.0.1.1", "10.0.1.1"]]
    await asyncio.sleep(0)
    go_on.set()
    answers = await asyncio.gather(*tasks)
    # Three addresses filled what is for all. The others get one place each.
    assert [crowd[n] for n in range(16) if answers[n] is not None] == crowd[:13]
    assert answers[16:] == [True, None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("basic_auth_users: {alice: secret}", "alice is not a bcrypt hash; make one with htpasswd"),
        ("tls_server_config: {cert_file: a.pem}", "one of the keys key_file and key is missing"),
        (
            TLS % ", min_version: TLS10",
            "min_version TLS10 is refused because RFC 8996 forbids it; TLS12 works",
        ),
        (
            TLS % ", client_ca_file: ca.pem",
            "client_ca_file or client_ca and a client_auth_type that verifies",
        ),
        (TLS % "", "tls_server_config: {folder}/server.pem: there is no such file"),
        (
            "users: {}",
            "unknown key 'users'; allowed here: tls_server_config, http_server_config, rate_limit",
        ),
    ],
)
def test_mistakes(tmp_path, text, told):
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        WebAuth(path)
    assert told.format(folder=tmp_path) in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_comments_in_a_file_of_authorities_may_have_any_letters(tmp_path, authority):
    certify(authority, tmp_path)
    (tmp_path / "ca.pem").write_bytes("# Raíz\n".encode() + authority.cert_pem.bytes())
    wanted = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem"
    context = WebAuth(write(tmp_path, TLS % wanted)).context
    assert context.cert_store_stats()["x509_ca"] == 1
