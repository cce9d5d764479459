"""The way a prober is usually written in Python: aiohttp, dnspython and prometheus_client."""

import argparse
import asyncio
import contextlib
import ssl
import time

import aiohttp
import dns.asyncquery
import dns.message
import dns.rdatatype
from prometheus_client import Counter, Histogram, start_http_server

PROBES = Counter("probes", "Probes that went well.", ["service"])
FAILURES = Counter("probe_failures", "Probes that failed.", ["service"])
SECONDS = Histogram("probe_duration_seconds", "Time of a probe.", ["service", "phase"])
WORKERS = 16


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--rate", type=int)
    parser.add_argument("--names", type=int)
    parser.add_argument("--port", type=int)
    parser.add_argument("--listen", type=int)
    parser.add_argument("--server")
    parser.add_argument("--ca")
    return parser.parse_args()


class Prober:
    def __init__(self, given, session):
        self.given, self.session = given, session

    async def probe(self, n):
        name = f"svc-{n}.shop.svc.clusterset.local"
        began = time.perf_counter()
        try:
            if self.given.case.startswith("http"):
                url = f"{self.given.case}://{name}:{self.given.port}/"
                async with self.session.get(url) as reply:
                    await reply.read()
                    well = reply.status == 200
            else:
                type_ = dns.rdatatype.SRV if self.given.case == "srv" else dns.rdatatype.A
                query = dns.message.make_query(name, type_)
                answer = await dns.asyncquery.udp(query, self.given.server, timeout=2)
                well = bool(answer.answer)
        except (aiohttp.ClientError, OSError, TimeoutError):
            well = False
        (PROBES if well else FAILURES).labels(name).inc()
        SECONDS.labels(name, "whole").observe(time.perf_counter() - began)

    async def paced(self, n):
        loop = asyncio.get_running_loop()
        due = loop.time() + n / self.given.rate
        while True:
            await asyncio.sleep(max(0, due - loop.time()))
            await self.probe(n)
            due += self.given.names / self.given.rate

    async def flat_out(self, n):
        while True:
            await self.probe(n)
            n = (n + WORKERS) % self.given.names


async def main():
    given = arguments()
    context = ssl.create_default_context(cafile=given.ca) if given.ca else None
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, ssl=context or True)
    start_http_server(given.listen, addr="127.0.0.1")
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        prober = Prober(given, session)
        run = prober.paced if given.rate else prober.flat_out
        await asyncio.gather(*map(run, range(given.names if given.rate else WORKERS)))


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
