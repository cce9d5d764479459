"""The demo's story before a Prometheus with our rules and an Alertmanager with our example."""

import asyncio
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import yaml
from aiohttp import web

from dashboards import alertmanager, files
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from exporter.demo import parts
from exporter.demo.clusterset import clusterset, until
from exporter.demo.layout import claim
from exporter.demo.story import Story
from tests.fakes.narrator import Silent
from tests.fakes.tools import need

IDS = ["k8s-node4", "k8s-node5"]
ALERTMANAGER_PORT = 9093
QUIET = 12
"""Seconds before the story in which all is well and nothing may be reported."""
DWELL = 6
"""Seconds for which it stays as it is after each move."""
AFTER = 8
"""Seconds after it in which what was reported may end."""
QUICK = replace(
    Thresholds(runbook_url="https://docs.test/runbooks", dashboard_url="https://grafana.test"),
    **dict.fromkeys(("blackout_for", "failover_for", "tunnel_for"), "1s"),
    **dict.fromkeys(("leak_for", "redundancy_for", "view_for", "promise_for"), "2s"),
    **dict.fromkeys(("hazard_for", "conflict_for", "reload_for"), "5s"),
    **dict.fromkeys(("watch_for", "log_for", "attribution_for", "series_for"), "5s"),
    **dict.fromkeys(("burn_fast_for", "burn_slow_for"), "2s"),
    standby_for="7s",
    exporter_for="15s",  # a Prometheus that starts takes five seconds to find its targets
    failover_keep="1s",
    leak_window="10s",
    promise_window="10s",
)
"""The thresholds of production, but that the story's minute is not its hour."""


class Unhurried(Story):
    """The story, but that each state after a move lasts until alerts have told of it."""

    async def _moved(self, site, mode):
        await super()._moved(site, mode)
        await asyncio.sleep(DWELL)


@dataclass
class Staged:
    """What was staged, where it can be asked about, and what the webhook was told."""

    url: str
    begun: float = 0.0
    """When the quiet part ended, unix seconds."""
    ended: float = 0.0
    requests: dict = field(default_factory=dict)
    moves: list = field(default_factory=list)
    told: list = field(default_factory=list)
    """Each alert's labels, annotations and status, in the order in which they came."""


@asynccontextmanager
async def staged(folder):
    """Play the story; yield when it is over, with Prometheus still there to be asked."""
    need("prometheus-alertmanager")
    need("prometheus")
    with claim(IDS, folder) as sites:
        part, url = parts.prometheus(sites, folder)
        made, told = Staged(url), []
        async with webhook(sites[0].exporter, told) as target:
            alerting = alertmanager_at(sites[0], folder, target)
            add_rules(folder, sites[0], QUICK)
            async with AsyncExitStack() as stack:
                async with clusterset(sites, folder) as set_:
                    # As somebody would who finds all running; it outlives what it has scraped.
                    await stack.enter_async_context(parts.running([alerting, part]))
                    await _play(set_, made, told)
                yield made


async def _play(set_, made, told):
    await _scraped(made.url)
    await asyncio.sleep(QUIET)
    made.begun = time.time()
    story = Unhurried(set_, Silent())
    await story.play()
    assert [row for row in story.rows if not row.equal] == []
    made.requests, made.moves = set_.requests, story.moves
    await asyncio.sleep(AFTER)
    made.ended, made.told = time.time(), list(told)


async def _scraped(url):
    async with aiohttp.ClientSession() as session:

        async def holds():
            query = {"query": "count(clusterset_info)"}
            try:
                async with session.get(f"{url}api/v1/query", params=query) as reply:
                    result = (await reply.json())["data"]["result"] if reply.ok else []
            except aiohttp.ClientConnectionError:
                return False
            return bool(result) and result[0]["value"][1] == str(len(IDS))

        await until(holds, "prometheus has scraped all exporters")


def add_rules(folder, site, thresholds, shorten=str):
    """Let the Prometheus of *folder* evaluate all rules and tell the Alertmanager at *site*."""
    target = f"{site.exporter}:{ALERTMANAGER_PORT}"
    path = folder / "prometheus.yml"
    config = yaml.safe_load(path.read_text())
    names = []
    for scope in Scope:
        names.append(f"{scope}.rules.yml")
        text = files.text({"groups": files.groups(scope, thresholds)})
        (folder / names[-1]).write_text(shorten(text))
    config["global"]["evaluation_interval"] = "1s"
    config["rule_files"] = names
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    path.write_text(yaml.safe_dump(config))


def alertmanager_at(site, folder, target):
    """Return an Alertmanager with our example, whose receivers are paths of *target*."""
    config = yaml.safe_load(files.text(alertmanager.example()))
    config["route"] |= {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": f"{target}/{receiver['name']}"}]
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    command = [
        shutil.which("prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={site.exporter}:{ALERTMANAGER_PORT}",
        "--cluster.listen-address=",
    ]
    return parts.Part("alertmanager", command, folder / "alertmanager.log")


@asynccontextmanager
async def webhook(address, told):
    """Yield the URL of a server that notes what Alertmanager tells it in *told*."""

    async def note(request):
        for alert in (await request.json())["alerts"]:
            told.append({**alert, "receiver": request.match_info["name"], "at": time.time()})
        return web.Response()

    app = web.Application()
    app.router.add_post("/{name}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://{address}:{port}"
    finally:
        await runner.cleanup()
