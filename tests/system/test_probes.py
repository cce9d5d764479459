"""Probes against servers that others wrote: knot and nginx."""

import asyncio
import contextlib
import os
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trustme

from exporter.demo.parts import find_nginx
from exporter.model.probes import Failure, Lookup, Record, ServiceAddress
from exporter.probe.drivers.runner import run_alone
from exporter.probe.http import Request, get
from exporter.probe.resolve import Server, resolve
from exporter.probe.tls import Tls
from exporter.probe.tls_context import make_context
from tests.fakes.tools import need

pytestmark = pytest.mark.system
HOST = "127.0.0.1"
ZONE = "clusterset.local"
NAME = f"nginx.shop.svc.{ZONE}"
KNOT = """\
server:
  rundir: {folder}
  listen: {host}@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}
zone:
  - domain: {zone}
    file: {folder}/zone
"""
RECORDS = f"""\
$ORIGIN {ZONE}.
$TTL 5
@ SOA ns.{ZONE}. admin.{ZONE}. 1 60 60 60 3
@ NS ns
ns A 127.0.0.1
nginx.shop.svc A 100.1.0.10
nginx.shop.svc AAAA fd00::10
nginx.shop.svc SRV 0 50 8080 nginx.shop.svc
alias.shop.svc CNAME nginx.shop.svc
one.shop.svc CNAME two.shop.svc
two.shop.svc CNAME one.shop.svc
text.shop.svc TXT "only text"
"""
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;
  fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{
    listen {host}:{http}; listen {host}:{https} ssl; keepalive_timeout 0;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {{ return 200 "all is well"; }}
    location /moved {{ return 301 /; }}
    location /away {{ return 302 http://169.254.169.254/; }}
    location /large {{ {headers} return 200 "x"; }}
    location /hangs-up {{ return 444; }}
  }}
}}
"""


def free_port():
    with socket.create_server((HOST, 0)) as held:
        return held.getsockname()[1]


@asynccontextmanager
async def running(*command, port):
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while True:
                assert process.returncode is None
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def knot(folder):
    knotd, port = need("knotd"), free_port()
    many = "".join(f"many.shop.svc A 10.0.{n // 250}.{n % 250}\n" for n in range(300))
    (folder / "zone").write_text(RECORDS + many)
    config = KNOT.format(folder=folder, host=HOST, port=port, zone=ZONE)
    (folder / "knot.conf").write_text(config)
    async with running(knotd, "-c", folder / "knot.conf", port=port):
        yield [Server(HOST, port)]


async def test_a_name_server_by_others(tmp_path):
    async with knot(tmp_path) as servers:

        async def ask(name, **words):
            full = name if name.endswith(".example") else f"{name}.shop.svc.{ZONE}"
            return await run_alone(resolve(full, servers, within=2.0, **words))

        for name in ("nginx", "alias", "NGINX"):
            answer = await ask(name)
            assert (answer.addresses, answer.ttl) == ((ip_address("100.1.0.10"),), 5), name
        assert (await ask("nginx", record=Record.AAAA)).addresses == (ip_address("fd00::10"),)
        found = (await ask("nginx", record=Record.SRV)).services
        assert found == (ServiceAddress(0, 50, 8080, NAME),)
        both = await ask("nginx", lookup=Lookup.CLIENT)
        assert (both.addresses, both.failure) == ((ip_address("100.1.0.10"),), None)
        # More than a datagram holds: truncated, and asked again over TCP.
        many = await ask("many")
        assert (len(many.addresses), many.failure) == (300, None)
        for name, failure, negative in (
            ("text", Failure.NODATA, 3),
            ("none", Failure.NXDOMAIN, 3),
            ("other.example", Failure.REFUSED, None),
        ):
            answer = await ask(name)
            assert (answer.failure, answer.negative_ttl) == (failure, negative), name
        assert (await ask("one")).failure in {Failure.CNAME_LOOP, Failure.SERVFAIL}


async def test_a_web_server_by_others(tmp_path):
    ca, ports = trustme.CA(), {"http": free_port(), "https": free_port()}
    issued = ca.issue_cert(NAME)
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (tmp_path / "cert.pem").write_bytes(b"".join(p.bytes() for p in issued.cert_chain_pems))
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    headers = "".join(f'add_header X-Large-{n} "{"x" * 1000}"; ' for n in range(100))
    text = NGINX.format(folder=tmp_path, host=HOST, headers=headers, **ports)
    root = "user root;\n" if os.getuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(root + text)
    files = {"ca_file": tmp_path / "ca.pem", "cert_file": None, "key_file": None}
    tls = Tls(await asyncio.to_thread(make_context, **files, verify=True))
    options = ("-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr")
    async with running(find_nginx(), *options, port=ports["http"]):
        for scheme, port in ports.items():

            async def ask(path, port=port, scheme=scheme, **words):
                wanted = {"expected": frozenset({200, 301}), "tls": None}
                wanted |= {"tls": tls} if scheme == "https" else {}
                return await run_alone(
                    get(
                        ip_address(HOST),
                        port,
                        request=Request(path=path, **(wanted | words)),
                        name=NAME,
                        user_agent=lambda: "test",
                        within=5.0,
                    )
                )

            well = await ask("/")
            assert (well.failure, well.status, well.server[:5]) == (None, 200, "nginx")
            assert (well.tls is None) is (scheme == "http")
            assert (await ask("/", method="HEAD")).failure is None
            assert (await ask("/moved")).status == 301
            followed = await ask("/moved", redirects=1)
            assert (followed.status, followed.redirects) == (200, 1)
            assert (await ask("/away", redirects=3)).failure is Failure.REPLY_REDIRECT
            assert (await ask("/large")).failure is Failure.REPLY_TOO_LARGE
            assert (await ask("/hangs-up")).failure is Failure.REPLY_EMPTY
        crossed = await ask("/", port=ports["http"])
        assert crossed.failure is Failure.TLS_FAILED
