"""`check --watch`: one service, looked at again and again; each change is a line."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.commands.check.service import Look, look
from exporter.commands.load import RuntimeConfig
from exporter.judge.locality import Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.verdicts import Failover, Mode

WATCH_EVERY = 0.5
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The newest look, with the mode and the outage of all looks so far."""

    look: Look
    mode: Mode
    held: float | None
    """Seconds since the mode was confirmed; None before that."""
    outage: float
    """Seconds without service since the first look."""


async def watch_service(
    read: Callable[[], tuple[RuntimeConfig, Inventory]],
    service: ServiceName,
    tell: Callable[[str], None],
    show: Callable[[Watched], None],
) -> None:
    """
    Look again and again; report each change of the verdict, and each failover with its durations.

    Args:
        read: Reads configuration and inventory, which may change meanwhile.
        service: The service to look at.
        tell: Called with each line about a change.
        show: Called after each look.
    """
    before, since = "", time.monotonic()
    loaded, inventory = await asyncio.to_thread(read)
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
            tell(f"{time_of_day()} {seen.report.level:<4} {seen.report.verdict}{held}")
            before, since = seen.report.verdict, now
        for failover in (*(verdict.failovers if verdict else ()), *state.settle()):
            tell(f"{time_of_day()} {_moved(failover)}")
        (view,) = (view for view in state.views(now) if view.service.name == service)
        mode_held = None if view.since is None else now - view.since
        show(Watched(look=seen, mode=view.mode, held=mode_held, outage=outage))
        await asyncio.sleep(WATCH_EVERY)
        loaded, inventory = await asyncio.to_thread(read)


def _state(loaded: RuntimeConfig) -> ServiceVerdicts:
    settings = loaded.settings
    return ServiceVerdicts(
        confirm=settings.probe.confirm,
        pinned=settings.probe.pinned,
        stale_after=10 * (WATCH_EVERY + settings.probe.timeout),
        graces_of=lambda _: Graces(leak=settings.leak_grace, export=settings.export_grace),
        policy_of=lambda service: settings.probe.for_service(service).policy,
    )


def time_of_day() -> str:
    """Return the time of day, for the beginning of a line."""
    return datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]


def _moved(failover: Failover) -> str:
    took = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in failover.durations.items())
    return (
        f"move {failover.service} moved from {failover.from_cluster} to {failover.to_cluster} "
        f"({failover.reason}): {took or 'durations unknown'}"
    )
