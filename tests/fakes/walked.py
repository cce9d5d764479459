"""
The demo's parts under a Prometheus and an Alertmanager, for a test that breaks and mends them.

All that waits minutes in production waits seconds here: `for` and windows of the rules, and the
minutes for which an exporter calls a request recent.
"""

import asyncio
import re
import shlex
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from secrets import token_hex

import aiohttp
import yaml

from exporter.demo import lighthouse, parts
from exporter.demo.clusterset import DNS_DELAY, Clusterset
from exporter.demo.layout import DNS_PORT, DOMAIN, claim
from exporter.demo.parts import Part
from exporter.model.verdicts import Locality
from tests.fakes.staged import ALERTMANAGER_PORT, IDS, QUICK, add_rules, alertmanager_at, webhook
from tests.fakes.tools import need

LIMIT = 60
"""Seconds to wait for what usually takes less than fifteen."""
POLL = 0.2
QUICKER = replace(QUICK, exporter_for="4s", probes_window="10s", attribution_for="2s")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_EARLY = """\
from exporter.commands.run import recent_requests
from exporter.judge import calibrate
recent_requests.RECENT, calibrate.WINDOW = 10.0, 10
from exporter.cli.main import cli
cli()
"""


def shorten(text):
    """Return rules in which windows of minutes are a thirtieth as long."""

    def one(found):
        return f"[{int(found[1]) * _SECONDS[found[2]] // 30}s]"

    return re.sub(r"\[(\d+)([mhd])\]", one, text)


@dataclass
class World:
    """What runs, and what of it can be broken."""

    made: Clusterset
    prometheus: str
    session: aiohttp.ClientSession
    exporters: dict[str, Part]
    told: list
    """What the receivers of Alertmanager got: labels, annotations, status and receiver."""
    held: dict[str, str] = field(default_factory=dict)
    """Addresses that the clients of a cluster hold instead of asking for the name."""

    @property
    def sites(self):
        return self.made.sites

    def broken_app(self, site):
        """Return the file whose presence lets the application, not its health check, fail."""
        return site.folder / "broken"

    def swap_addresses(self, site):
        """Let the inventory of *site* take each cluster's pods for those of the other."""
        inventory = yaml.safe_load(site.inventory.read_text())
        first, second = inventory["clusters"]
        first["pod_cidrs"], second["pod_cidrs"] = second["pod_cidrs"], first["pod_cidrs"]
        fresh = site.inventory.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(inventory))
        fresh.replace(site.inventory)

    async def alerts(self, name, **labels):
        """Return the alerts that Alertmanager holds now, those over or silenced left out."""
        url = f"http://{self.sites[0].exporter}:{ALERTMANAGER_PORT}/api/v2/alerts"
        async with self.session.get(url, params={"active": "true", "inhibited": "false"}) as reply:
            held = await reply.json()
        wanted = {"alertname": name, **labels}.items()
        return [each for each in held if wanted <= each["labels"].items()]

    async def firing(self, name, **labels):
        """Wait until an alert arrives, and return it."""
        return (await until(lambda: self.alerts(name, **labels), f"{name} fires"))[0]

    async def over(self, name, **labels):
        """Wait until Alertmanager has been told that an alert is over."""

        async def gone():
            return not await self.alerts(name, **labels)

        await until(gone, f"{name} is over")

        async def said():
            newest = {
                each["fingerprint"]: each["status"]
                for each in self.told
                if {"alertname": name, **labels}.items() <= each["labels"].items()
            }
            return newest and set(newest.values()) == {"resolved"}

        await until(said, f"the receiver hears that {name} is over")

    async def typed(self, command):
        """
        Run what *command* runs in the pod of an exporter; return the exit code and the output.

        The context of kubectl names the cluster, and without one it may be any.
        """
        kubectl, *words = shlex.split(command)
        assert kubectl == "kubectl"
        site = self.sites[0]
        if "--context" in words:
            context = words[words.index("--context") + 1]
            (site,) = [each for each in self.sites if each.id == context]
        program, *rest = words[words.index("--") + 1 :]
        assert program == "clusterset-exporter"
        config = site.folder / "config.yaml"
        rest = [re.sub(r"^(--config\.file=)/etc/.*", rf"\g<1>{config}", each) for each in rest]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", *rest), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(LIMIT):
            output, _ = await process.communicate()
        return process.returncode, output.decode()


async def until(holds, what):
    """Wait until *holds*() is true, and return what it returned."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LIMIT
    while not (found := await holds()):
        assert loop.time() < end, f"waited {LIMIT} s in vain until {what}"
        await asyncio.sleep(POLL)
    return found


@asynccontextmanager
async def walked(folder):
    """Yield a World in which all is well, and clients of each cluster make requests."""
    need("prometheus-alertmanager")
    need("prometheus")
    key = folder / "probe.key"
    key.write_text(token_hex(16))
    with claim(IDS, folder) as sites:
        scraping, url = parts.prometheus(sites, folder)
        add_rules(folder, sites[0], QUICKER, shorten)
        told = []
        async with AsyncExitStack() as stack:
            target = await stack.enter_async_context(webhook(sites[0].exporter, told))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            for site in sites:
                site.folder.mkdir()
            backends = {site.id: _nginx(site) for site in sites}
            exporters = {site.id: _exporter(site, key) for site in sites}
            servers = {
                site.id: lighthouse.Lighthouse(
                    site.inventory, site.id, domain=DOMAIN, delay=DNS_DELAY
                )
                for site in sites
            }
            world = World(
                Clusterset(sites, backends, servers, session), url, session, exporters, told
            )
            world.made.write()
            for site in sites:
                serving = lighthouse.serve_dns(servers[site.id], site.dns, DNS_PORT)
                await stack.enter_async_context(serving)
            alerting = alertmanager_at(sites[0], folder, target)
            started = [*backends.values(), *exporters.values(), alerting, scraping]
            await stack.enter_async_context(parts.running(started))
            await stack.enter_async_context(_clients(world))
            await until(lambda: _scraped(world), "all exporters are scraped and see traffic")
            yield world


def _nginx(site):
    """Return an nginx whose application can fail while its health check succeeds."""
    part = parts.nginx(site, parts.find_nginx())
    path = site.folder / "nginx.conf"
    place = "location / {"
    health = 'location = /healthz { return 200 "ok\\n"; }'
    broken = f"if (-f {site.folder}/broken) {{ return 503; }}"
    path.write_text(path.read_text().replace(place, f"{health}\n    {place} {broken}"))
    return part


def _exporter(site, key):
    parts.exporter(site, key)
    path = site.folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["probe"]["http"] = {"path": "/healthz"}
    config |= {"runbook_url": QUICK.runbook_url}
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", _EARLY, "run", "--config.file", str(path)]
    listen = ["--web.listen-address", site.url.removeprefix("http://").rstrip("/")]
    return Part(f"exporter of {site.id}", [*command, *listen], site.exporter_log)


@asynccontextmanager
async def _clients(world):
    """Let clients of each cluster make some requests a second."""

    async def run(site):
        while True:
            with suppress(TimeoutError):
                await world.made.request(site, Locality.LEAK, world.held.get(site.id))
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(site)) for site in world.sites]
        yield
        for task in tasks:
            task.cancel()


async def _scraped(world):
    query = {"query": 'count(clusterset_requests_total{locality="local"} > 0)'}
    try:
        async with world.session.get(f"{world.prometheus}api/v1/query", params=query) as reply:
            result = (await reply.json())["data"]["result"] if reply.ok else []
    except aiohttp.ClientConnectionError:
        return False
    return bool(result) and result[0]["value"][1] == str(len(IDS))
