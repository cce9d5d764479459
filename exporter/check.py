"""One service, looked at now: is it served where it should be from here, and why."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.discover.static import read_inventory
from exporter.judge.explain import Report, explain
from exporter.loading import Loaded, load
from exporter.model import Inventory, NameKind, Probe, ServiceName
from exporter.probe.schedule import LoopClock, Target, probe_once
from exporter.prober import Prober
from exporter.targets import targets
from exporter.yamlfile import SettingsError

WATCH_EVERY = 0.5
"""Seconds between two looks while somebody watches."""


def read(config_file: Path, cluster: str | None) -> tuple[Loaded, Inventory]:
    """Read configuration and inventory; SettingsError if one is wrong."""
    loaded = load(config_file, cluster)
    return loaded, read_inventory(loaded.inventory_file, loaded.local)


def service_name(text: str) -> ServiceName:
    """Return the service that *text* names; SettingsError if it names none."""
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        msg = f"{text}: should be namespace/name"
        raise SettingsError(msg)
    return ServiceName(namespace, name)


async def look(loaded: Loaded, inventory: Inventory, service: ServiceName) -> Report:
    """
    Ask for all names of *service* now, each name server for itself, and put it in words.

    Raises:
        SettingsError: If the service is not in the inventory, or is not probed.
    """
    if service not in inventory.services:
        known = ", ".join(map(str, inventory.services)) or "none"
        msg = f"{service} is not in {loaded.inventory_file}; known are {known}"
        raise SettingsError(msg)
    wanted = [t for t in targets(inventory, loaded.settings) if t.question.service == service]
    if not wanted:
        msg = f"{service} is not probed: probe.services says enabled: false"
        raise SettingsError(msg)

    async def ask(prober: Prober, target: Target) -> Probe:
        within = loaded.settings.probe.timeout
        return await probe_once(
            target, resolve=prober.resolve, get=prober.get, within=within, clock=LoopClock()
        )

    plain = next(t for t in wanted if t.question.kind is NameKind.PLAIN)
    pinned = [target for target in wanted if target is not plain]
    async with asyncio.TaskGroup() as group:
        by_vantage = {
            str(server): group.create_task(ask(Prober(loaded, [server]), plain))
            for server in loaded.resolvers
        }
        by_cluster = [group.create_task(ask(Prober(loaded), target)) for target in pinned]
    return explain(
        inventory,
        inventory.services[service],
        loaded.settings.probe.for_service(service).policy,
        plain={vantage: task.result() for vantage, task in by_vantage.items()},
        pinned=[task.result() for task in by_cluster],
        domain=loaded.settings.clusterset_domain,
    )


async def watch(
    again: Callable[[], tuple[Loaded, Inventory]], service: ServiceName, told: Callable[[str], None]
) -> None:
    """
    Look again and again; tell each change of the verdict, and how long the one before held.

    Args:
        again: Reads configuration and inventory, which may change meanwhile.
        service: What to look at.
        told: Called with each line.
    """
    before, since = "", time.monotonic()
    while True:
        loaded, inventory = await asyncio.to_thread(again)
        report = await look(loaded, inventory, service)
        if report.verdict != before:
            now = time.monotonic()
            held = f" (after {now - since:.1f} s)" if before else ""
            clock = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
            told(f"{clock} {report.level:<4} {report.verdict}{held}")
            before, since = report.verdict, now
        await asyncio.sleep(WATCH_EVERY)


def text(report: Report) -> str:
    """Return *report* for a person, a finding a line and the verdict last."""
    width = max(len(finding.about) for finding in report.findings)
    lines = [f"{f.level:<4}  {f.about:<{width}}  {f.text}" for f in report.findings]
    return "\n".join([*lines, "", report.verdict])


def as_json(report: Report) -> dict[str, Any]:
    """Return *report* for a program."""
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
    }
