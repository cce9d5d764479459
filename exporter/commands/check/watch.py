"""`check --watch`: one service, looked at again and again; each change is a line."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from exporter.commands.check.service import Look, look
from exporter.commands.load import RuntimeConfig
from exporter.judge.locality import Graces
from exporter.judge.report import Level
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed while somebody watched."""

    kind: Literal["verdict", "move", "finding"]
    text: str
    """In words."""
    values: Mapping[str, object]
    """The same for a program; durations are in seconds."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def line(self) -> str:
        """Return the change for a person."""
        return f"{self.at.strftime('%H:%M:%S.%f')[:-3]} {self.text}"

    def json(self) -> str:
        """Return the change for a program, in one line."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"at": at, "kind": self.kind, **self.values})


def finding_change(level: Level, about: str, text: str) -> Change:
    """Return the change of a finding about the cluster."""
    values = {"level": level, "about": about, "text": text}
    return Change(kind="finding", text=f"{level:<4} {about}  {text}", values=values)


async def watch_service(
    read: Callable[[], tuple[RuntimeConfig, Inventory]],
    service: ServiceName,
    tell: Callable[[Change], None],
    show: Callable[[Watched], None],
) -> None:
    """
    Look again and again; report each change of the verdict, and each failover with its durations.

    Args:
        read: Reads configuration and inventory, which may change meanwhile.
        service: The service to look at.
        tell: Called with each change.
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
            words = f"{seen.report.level:<4} {seen.report.verdict}{held}"
            tell(Change(kind="verdict", text=words, values=_verdict(seen, now - since, before)))
            before, since = seen.report.verdict, now
        for failover in (*(verdict.failovers if verdict else ()), *state.settle()):
            tell(_moved(failover))
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


def _verdict(seen: Look, held: float, before: str) -> dict[str, object]:
    report = seen.report
    return {
        "level": report.level,
        "verdict": report.verdict,
        "serving": report.serving,
        "before": {"verdict": before, "seconds": round(held, 3)} if before else None,
    }


def _moved(failover: Failover) -> Change:
    took = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in failover.durations.items())
    return Change(
        kind="move",
        text=f"move {failover.service} moved from {failover.from_cluster} to "
        f"{failover.to_cluster} ({failover.reason}): {took or 'durations unknown'}",
        values={
            "service": str(failover.service),
            "from_cluster": failover.from_cluster,
            "to_cluster": failover.to_cluster,
            "reason": failover.reason,
            "durations": dict(failover.durations),
        },
    )
