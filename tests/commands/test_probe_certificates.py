"""Renewed certificates are used by the next probe; what cannot be used changes nothing."""

import asyncio
import ssl
from ipaddress import ip_address

import trustme
from structlog.testing import capture_logs

from exporter.commands.probe_tls import tls_context
from exporter.commands.run.probe_certificates import ProbeCertificates
from exporter.config.http_settings import TlsSettings
from exporter.model.probes import Failure
from exporter.probe.drivers.runner import run_alone
from exporter.probe.http import Request, get
from exporter.probe.tls import Tls
from tests.fakes import scenes
from tests.fakes.servers import HOST, tcp

NAME = "nginx.shop.svc.clusterset.local"
CA, OLD, NEW = trustme.CA(), trustme.CA(), trustme.CA()


def put(path, raw):
    """Let another file take the place of *path*, as a kubelet does; None takes it away."""
    if raw is None:
        path.unlink()
    else:
        other = path.with_name("other")
        other.write_bytes(raw)
        other.rename(path)


class Renewals:
    """The files of a client, and what became of their versions."""

    def __init__(self, folder):
        self.ca, self.cert, self.key = (folder / name for name in ("ca", "cert", "key"))
        self.ca.write_bytes(CA.cert_pem.bytes())
        self.write(OLD)
        self.wanted = TlsSettings(
            ca_file=str(self.ca), cert_file=str(self.cert), key_file=str(self.key)
        )
        self.context = tls_context(self.wanted, "config.yaml")
        self.problems, self.used, self.shown = scenes.Scene().parts.problems, 0, []

    def write(self, issuer):
        made = issuer.issue_cert("prober.example")
        put(self.cert, b"".join(each.bytes() for each in made.cert_chain_pems))
        put(self.key, made.private_key_pem.bytes())

    def use(self, contexts):
        assert list(contexts) == [self.wanted]
        self.context, self.used = contexts[self.wanted], self.used + 1

    async def watch(self, *changes):
        """Change the files, and look at them after each of *changes*."""

        async def ticks():
            yield
            for change in changes:
                await asyncio.to_thread(change)
                yield
                yield
                self.shown.append(next((x["message"] for x in self.problems.shown(())), ""))

        watcher = ProbeCertificates(self.use, asyncio.Lock(), self.problems)
        with capture_logs() as logs:
            await watcher.watch([self.wanted], ticks())
        assert list(self.problems.shown(())) == []
        return [each["event"] for each in logs]

    async def ask(self, port):
        request = Request(expected=frozenset({200}), tls=Tls(self.context))
        asked = get(
            ip_address(HOST), port, request=request, name=NAME, user_agent=lambda: "", within=30.0
        )
        return (await run_alone(asked)).failure


async def talk(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def test_a_server_that_accepts_only_the_renewed_certificate(tmp_path):
    made = await asyncio.to_thread(Renewals, tmp_path)
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    side.maximum_version = ssl.TLSVersion.TLSv1_2
    CA.issue_cert(NAME).configure_cert(side)
    NEW.configure_trust(side)
    side.verify_mode = ssl.CERT_REQUIRED
    async with tcp(talk, ssl=side) as port:
        assert await made.ask(port) is Failure.TLS_FAILED
        assert await made.watch(lambda: made.write(NEW)) == []
        assert await made.ask(port) is None
    assert (made.used, made.shown) == (2, [""])


async def test_what_cannot_be_used_is_a_problem_until_it_can(tmp_path):
    made = await asyncio.to_thread(Renewals, tmp_path)
    other = OLD.issue_cert("prober.example").private_key_pem.bytes()
    told = await made.watch(
        lambda: put(made.key, other),
        lambda: put(made.cert, b"junk"),
        lambda: put(made.ca, None),
        lambda: put(made.ca, CA.cert_pem.bytes()),
        lambda: made.write(NEW),
    )
    kept = "the files that were read before are used"
    at, not_used = "probe: tls_config:", "cannot be used:"
    mismatch = f"is not the key of the certificate in {made.cert}"
    junk = f"{at} cert_file {made.cert} {not_used} holds no certificate in PEM format; {kept}"
    assert made.shown == [
        f"{at} key_file {made.key} {not_used} {mismatch}; {kept}",
        junk,
        f"{at} ca_file {made.ca} {not_used} No such file or directory; {kept}",
        junk,
        "",
    ]
    assert told == ["probe certificates rejected"] * 4
    assert made.used == 2
