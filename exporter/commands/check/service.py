"""One service, looked at now: is it served where it should be from here, and why."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import Any

from exporter.accesslog.counter import Counter
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.source import LogSource, compile_source
from exporter.commands.load import RuntimeConfig, load
from exporter.config.paths import STDIN
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.judge.explain import Report, explain
from exporter.judge.locality import Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import NameKind, Probe, Question
from exporter.model.traffic import LogCounts
from exporter.model.verdicts import Failover, Mode
from exporter.probe.client import ProbeClient
from exporter.probe.drivers.driver import Clock
from exporter.probe.drivers.runner import run_alone
from exporter.probe.probe import Target, probe_once
from exporter.probe.targets import targets
from exporter.web.probes import shown

WATCH_EVERY = 0.5
"""Seconds between two looks while somebody watches."""
NEWEST = 128 << 10
"""Bytes at the end of each access log that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw, and what it means."""

    report: Report
    plain: Mapping[str, Probe]
    """A probe of the plain name by each name server."""
    steps: tuple[dict[str, Any], ...] = ()
    """All probes that were made, each with every step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a service stands while somebody watches."""

    look: Look
    mode: Mode
    held: float | None
    """Seconds for which the mode has held; None before the first is confirmed."""
    outage: float
    """Seconds without service since somebody watches."""


def read(config_file: Path | None, cluster: str | None) -> tuple[RuntimeConfig, Inventory]:
    """Read configuration and inventory; SettingsError if one is wrong."""
    loaded = load(config_file, cluster)
    return loaded, read_inventory(loaded.inventory_file, loaded.local)


def service_name(text: str) -> ServiceName:
    """Return the service that *text* names; SettingsError if it names none."""
    name = ServiceName.parse(text)
    if name is None:
        msg = f"{text}: should be namespace/name"
        raise SettingsError(msg)
    return name


async def look(loaded: RuntimeConfig, inventory: Inventory, service: ServiceName) -> Look:
    """
    Ask for all names of *service* now, each name server for itself, and put it in words.

    Raises:
        SettingsError: If the service is not in the inventory, or is not probed.
    """
    if service not in inventory.services:
        known = ", ".join(map(str, inventory.services)) or "none"
        static = loaded.settings.inventory.static is not None
        where = loaded.inventory_file if static else f"what is discovered in {inventory.local}"
        msg = f"{service} is not in {where}; known are {known}"
        raise SettingsError(msg)
    plan = loaded.probes
    wanted = [t for t in targets(inventory, plan) if t.question.service == service and t.decides]
    if not wanted:
        by_setting = not loaded.settings.probe.for_service(service).enabled
        why = "probe.services says enabled: false" if by_setting else "an annotation says so"
        msg = f"{service} is not probed: {why}"
        raise SettingsError(msg)

    async def ask(client: ProbeClient, target: Target) -> Probe:
        within = loaded.settings.probe.timeout
        probe = probe_once(
            target, resolve=client.resolve, get=client.get, within=within, clock=Clock()
        )
        return await run_alone(probe)

    plain = next(t for t in wanted if t.question.kind is NameKind.PLAIN)
    pinned = [target for target in wanted if target is not plain]
    logs = asyncio.to_thread(lambda: dict(_logs(loaded, inventory, service)))
    async with asyncio.TaskGroup() as group:
        by_vantage = {
            str(server): group.create_task(ask(ProbeClient(plan, inventory.local, [server]), plain))
            for server in plan.resolvers
        }
        by_cluster = [
            group.create_task(ask(ProbeClient(plan, inventory.local), target)) for target in pinned
        ]
        read_logs = group.create_task(logs)
    asked = {vantage: task.result() for vantage, task in by_vantage.items()}
    report = explain(
        inventory,
        inventory.services[service],
        loaded.settings.probe.for_service(service).policy,
        plain=asked,
        pinned=[task.result() for task in by_cluster],
        logs=read_logs.result(),
        domain=loaded.settings.clusterset_domain,
    )
    made = [*asked.values(), *(task.result() for task in by_cluster)]
    domain = loaded.settings.clusterset_domain
    steps = (shown(each, _destination(inventory, each), domain) for each in made)
    return Look(report=report, plain=asked, steps=tuple(steps))


def _destination(inventory: Inventory, probe: Probe) -> str | None:
    service = inventory.services[probe.question.service]
    return service.destination_of(probe.answer.addresses)


def _logs(
    loaded: RuntimeConfig, inventory: Inventory, service: ServiceName
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the newest client requests of *service* by source, of each log file that has some."""
    proxies = [proxy.network for proxy in loaded.settings.attribution.trusted_proxies]
    source_of = Attribution(inventory, proxies).source
    for source in loaded.logs:
        mine = source.service in {None, service} and not source.by_pod
        if mine and source.files != (STDIN,):
            for name in sorted({path for each in source.files for path in glob(each)}):  # noqa: PTH207 - as the daemon does
                counts = _newest(loaded, source, source_of, name)
                requests: dict[str, int] = {}
                for client, hits in counts.clients.items():
                    if client.service == service:
                        requests[client.source] = requests.get(client.source, 0) + hits.requests
                yield name, requests


def _newest(
    loaded: RuntimeConfig, source: LogSource, source_of: Callable[[str, str], str], name: str
) -> LogCounts:
    def service_of(host: str) -> tuple[ServiceName, bool] | None:
        asked = Question.of_name(host, loaded.settings.clusterset_domain)
        if source.service is not None:
            return source.service, False
        return None if asked is None else (asked.service, False)

    counter = Counter(compile_source(source), source_of, service_of)
    try:
        with Path(name).open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - NEWEST)
            file.seek(start)
            text = file.read(NEWEST)
    except OSError as error:
        msg = f"{name}: {error.strerror or error}"
        raise SettingsError(msg) from error
    first = text.find(b"\n") + 1 if start else 0
    whole = text[first : text.rfind(b"\n") + 1]
    return Lines(counter, source.wrapper).count(name, whole)


async def watch(
    again: Callable[[], tuple[RuntimeConfig, Inventory]],
    service: ServiceName,
    told: Callable[[str], None],
    shown: Callable[[Watched], None],
) -> None:
    """
    Look again and again; tell each change of the verdict and each move with its durations.

    Args:
        again: Reads configuration and inventory, which may change meanwhile.
        service: What to look at.
        told: Called with each line.
        shown: Called after each look.
    """
    before, since = "", time.monotonic()
    loaded, inventory = await asyncio.to_thread(again)
    state, outage = _state(loaded), 0.0
    while True:
        now = time.monotonic()
        if inventory != state.inventory:
            state.set_inventory(inventory, now)
        seen = await look(loaded, inventory, service)
        now = time.monotonic()
        verdict = state.probed(next(iter(seen.plain.values())), now)
        outage += verdict.outage if verdict else 0.0
        if seen.report.verdict != before:
            held = f" (after {now - since:.1f} s)" if before else ""
            told(f"{clock()} {seen.report.level:<4} {seen.report.verdict}{held}")
            before, since = seen.report.verdict, now
        for failover in (*(verdict.failovers if verdict else ()), *state.settle()):
            told(f"{clock()} {_moved(failover)}")
        (view,) = (view for view in state.views(now) if view.service.name == service)
        mode_held = None if view.since is None else now - view.since
        shown(Watched(look=seen, mode=view.mode, held=mode_held, outage=outage))
        await asyncio.sleep(WATCH_EVERY)
        loaded, inventory = await asyncio.to_thread(again)


def _state(loaded: RuntimeConfig) -> ServiceVerdicts:
    settings = loaded.settings
    return ServiceVerdicts(
        confirm=settings.probe.confirm,
        pinned=settings.probe.pinned,
        stale_after=10 * (WATCH_EVERY + settings.probe.timeout),
        graces_of=lambda _: Graces(leak=settings.leak_grace, export=settings.export_grace),
        policy_of=lambda service: settings.probe.for_service(service).policy,
    )


def clock() -> str:
    """Return the time of day, for the beginning of a line."""
    return datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]


def _moved(failover: Failover) -> str:
    took = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in failover.durations.items())
    return (
        f"move {failover.service} moved from {failover.from_cluster} to {failover.to_cluster} "
        f"({failover.reason}): {took or 'nobody looked'}"
    )


def text(report: Report) -> str:
    """Return *report* for a person, a finding a line and the verdict last."""
    width = max(len(finding.about) for finding in report.findings)
    lines = [f"{f.level:<4}  {f.about:<{width}}  {f.text}" for f in report.findings]
    return "\n".join([*lines, "", report.verdict])


def live(watched: Watched) -> str:
    """Return what a terminal shows while somebody watches, clocks and all."""
    held = "" if watched.held is None else f" for {watched.held:.1f} s"
    first = f"mode {watched.mode}{held}; without service {watched.outage:.1f} s in all"
    return f"{first}\n\n{text(watched.look.report)}"


def as_json(look: Look) -> dict[str, Any]:
    """Return what one look saw for a program."""
    report = look.report
    return {
        "namespace": report.service.namespace,
        "name": report.service.name,
        "level": report.level,
        "verdict": report.verdict,
        "serving": report.serving,
        "standby_clusters": sorted(report.standbys),
        "findings": [
            {"level": finding.level, "about": finding.about, "text": finding.text}
            for finding in report.findings
        ],
        "probes": look.steps,
    }
