"""What the network, clients and operators do to the exporter of a soak, all at once."""

import asyncio
import contextlib
import os
import signal
import ssl
import time
from datetime import UTC, datetime

import aiohttp

from tests.fakes import certs
from tests.fuzz.targets import TARGETS

USER, PASSWORD = "prometheus", "right"
PAGES = ("/", "/api/v1/status", "/api/v1/probes", "/probe?target=nginx-test/nginx", "/metrics")
CONFIGS = {
    "good": "",
    "other grace": "leak_grace: 10s\n",
    "an integer of 5,000 digits": f"limits: {{series: {'9' * 5000}}}\n",
    "not YAML": "probe: [\n",
    "an unknown key": "prob: {}\n",
}
"""What is added to the configuration at a reload; only the first two are valid."""
LINE = '10.{}.{}.{} - - [{}] "GET /{} HTTP/1.1" {} 615 "-" "{}" "-"\n'
AGENT = "clusterset-exporter/1.0 (cluster={}; service=nginx-test/nginx; id={}-{}{})"
HOSTILE = [data[2:] for data in TARGETS["log-lines"].inputs] + [b"x" * 100_000, b"\0" * 500]


class Abuse:
    """
    All who abuse one exporter.

    Args:
        rng: Chooses what is done.
        folder: Where its files are.
        pid: Its process.
        web: Its host and port.
        syslog: Its syslog ports, by protocol.
        config: The text of its configuration.
    """

    def __init__(self, rng, folder, pid, web, syslog, config):
        self._rng, self._folder, self._pid, self._config = rng, folder, pid, config
        self._web, self._syslog = web, syslog
        self._tls = ssl.create_default_context(cadata=certs.pem(certs.authority()))

    @property
    def works(self):
        """Return all that goes on for ever."""
        return (
            self._write_log,
            self._flood_syslog,
            self._stream_syslog,
            self._stay_silent,
            self._read_slowly,
            self._guess_passwords,
            self._send_garbage,
            self._look_at_pages,
            self._reload,
            self._renew_web_files,
        )

    def _line(self):
        rng = self._rng
        now = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        agent = "curl/7.69.1"
        if rng.random() < 0.05:
            sig = rng.choice(("", f"; sig={rng.randbytes(16).hex()}"))
            cluster = rng.choice(("cluster1", "cluster2", "mars"))
            ms = int(time.time() * 1000) + rng.choice((0, 0, 0, 10**9, -(10**9)))
            agent = AGENT.format(cluster, ms, rng.randbytes(4).hex(), sig)
        # As many addresses as a cache of addresses fills with soon.
        address = rng.randint(1, 2), rng.randint(0, 3), rng.randint(0, 255)
        return LINE.format(*address, now, rng.randint(0, 99), rng.choice((200, 404, 500)), agent)

    def _block(self, lines):
        rng = self._rng
        return b"".join(
            rng.choice(HOSTILE) + b"\n" if rng.random() < 0.02 else self._line().encode()
            for _ in range(lines)
        )

    async def _write_log(self):
        """Write a log, and rotate it in all ways."""
        path, old = self._folder / "access.log", self._folder / "access.log.1"
        file, rotate = path.open("ab", buffering=0), time.monotonic() + 20
        while True:
            await asyncio.sleep(0.2)
            file.write(self._block(40))
            if time.monotonic() < rotate:
                continue
            rotate = time.monotonic() + self._rng.uniform(10, 40)
            match self._rng.choice(("rename", "truncate", "delete")):
                case "rename":
                    path.rename(old)
                    file.write(self._block(5))
                case "truncate":
                    file.truncate(0)
                    continue
                case "delete":
                    path.unlink()
            file.close()
            file = path.open("ab", buffering=0)

    async def _flood_syslog(self):
        """Send datagrams in bursts."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", self._syslog["udp"])
        )
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 3))
            for _ in range(300):
                head = b"<190>Jul  7 07:42:11 nginx: " if self._rng.random() < 0.9 else b""
                transport.sendto(head + self._block(1)[:9000])

    async def _stream_syslog(self):
        """Send streams, some of them garbage, and leave some open."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 2))
            async with self._held(self._rng.randint(1, 30), port=self._syslog["tcp"]) as held:
                for _, writer in held:
                    writer.write(self._rng.choice((b"999999 <190>", b"5 <1>ab", b"<190>x: ")))
                    writer.write(self._block(3))
                await asyncio.sleep(self._rng.uniform(0, 5))

    @contextlib.asynccontextmanager
    async def _held(self, number, *, port=None, tls=None):
        """Hold connections of many addresses."""
        host, web = self._web
        held = []
        try:
            for _ in range(number):
                source = f"127.{self._rng.randint(3, 9)}.0.{self._rng.randint(1, 50)}"
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(5):
                        held.append(
                            await asyncio.open_connection(
                                host, port or web, local_addr=(source, 0), ssl=tls, limit=2048
                            )
                        )
            yield held
        finally:
            for _, writer in held:
                writer.transport.abort()

    async def _stay_silent(self):
        """Hold connections that send nothing, or half of a request."""
        while True:
            async with self._held(self._rng.randint(50, 250)) as held:
                for _, writer in held:
                    if self._rng.random() < 0.2:
                        # The beginning of a handshake.
                        writer.write(b"\x16\x03\x01\x02\x00\x01")
                await asyncio.sleep(self._rng.uniform(2, 12))
            async with self._held(20, tls=self._tls) as held:
                for _, writer in held:
                    writer.write(b"GET /metrics HTTP/1.1\r\nHost")
                await asyncio.sleep(self._rng.uniform(1, 5))

    async def _read_slowly(self):
        """Ask for metrics, and read nothing."""
        login = aiohttp.BasicAuth(USER, PASSWORD).encode()
        asked = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n\r\n".encode()
        while True:
            await asyncio.sleep(self._rng.uniform(1, 10))
            async with self._held(self._rng.randint(1, 6), tls=self._tls) as held:
                for reader, writer in held:
                    reader._transport.pause_reading()
                    writer.write(asked)
                await asyncio.sleep(self._rng.uniform(1, 10))

    def _session(self, password):
        return aiohttp.ClientSession(
            "https://{}:{}".format(*self._web),
            auth=aiohttp.BasicAuth(USER, password),
            connector=aiohttp.TCPConnector(ssl=self._tls, force_close=True),
            timeout=aiohttp.ClientTimeout(total=20),
        )

    async def _guess_passwords(self):
        """Try wrong passwords, several at once."""
        while True:
            await asyncio.sleep(self._rng.uniform(2, 8))
            async with self._session(self._rng.randbytes(8).hex()) as session:
                asked = (self._status(session, "GET", "/metrics") for _ in range(6))
                for status in await asyncio.gather(*asked):
                    assert status in {0, 401, 429, 503}, status

    @staticmethod
    async def _status(session, method, path, **words):
        """Return the status of a reply, 0 for none: the server may close any connection."""
        try:
            async with session.request(method, path, **words) as reply:
                await reply.read()
                return reply.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0

    async def _send_garbage(self):
        """Send what is no request, with TLS and without."""
        requests = TARGETS["http-request"].inputs
        while True:
            await asyncio.sleep(self._rng.uniform(0.2, 2))
            tls = self._rng.choice((None, self._tls))
            async with self._held(3, tls=tls) as held:
                for _, writer in held:
                    writer.write(self._rng.choice((*requests, self._rng.randbytes(20_000))))
                await asyncio.sleep(0.2)

    async def _look_at_pages(self):
        """Look at pages as people do."""
        async with self._session(PASSWORD) as session:
            while True:
                await asyncio.sleep(1)
                await self._status(session, "GET", self._rng.choice(PAGES))

    async def _reload(self):
        """Change the configuration, often to a wrong one, and have it read."""
        path = self._folder / "config.yaml"
        async with self._session(PASSWORD) as session:
            while True:
                await asyncio.sleep(self._rng.uniform(3, 20))
                fresh = path.with_suffix(".new")
                fresh.write_text(self._config + CONFIGS[self._rng.choice(list(CONFIGS))])
                fresh.rename(path)
                if self._rng.random() < 0.5:
                    os.kill(self._pid, signal.SIGHUP)
                else:
                    await self._status(session, "POST", "/-/reload")

    async def _renew_web_files(self):
        """Renew the certificate, and at times write a broken web configuration."""
        path = self._folder / "web.yaml"
        text = path.read_text()
        while True:
            await asyncio.sleep(self._rng.uniform(10, 40))
            path.write_text(self._rng.choice((text, text, "{", "basic_auth_users: {a: b}\n")))
            # Each key takes time to make; the same one does as well.
            for name in ("cert.pem", "key.pem"):
                os.utime(self._folder / name)
