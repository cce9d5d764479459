"""What `drill` prints: a report on 80 columns for a person, or JSON for a program."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exporter.commands.drill.course import Course, DrillEvent, DrillMove
from exporter.commands.drill.shell_command import CommandResult
from exporter.model.moment import Moment, iso
from exporter.model.verdicts import Reason

WIDTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """All that a drill saw, and its findings."""

    local: str
    """The cluster whose clients the probes stand for."""
    course: Course
    began: Moment
    ended: Moment
    interval: float
    """Seconds between two probes."""
    dns_only: bool
    """Nothing but the name was looked up, so whether anybody replies is not known."""
    command: CommandResult | None
    not_started: str | None
    """The command that was never started."""
    blind: float | None
    """Seconds in which changes of the cluster could not be seen, if there were any."""
    findings: tuple[str, ...]


def line_of(event: DrillEvent) -> str:
    """Return one event for a person, on as many lines as it needs."""
    at = datetime.fromtimestamp(event.unix, UTC)
    kind = "expected" if event.expected else "seen"
    return _wrapped(f"{event.text}", f"  {at:%H:%M:%S}.{at.microsecond // 1000:03}  {kind:<8}  ")


def as_text(report: DrillReport) -> str:
    """Return *report* for a person."""
    return "\n".join(
        line
        for title, lines in (
            (_title(report), _head(report)),
            ("Course (UTC)", _course(report.course)),
            ("Moves", _moves(report.course.moves)),
            ("Lost", _lost(report)),
            ("Verdict", _verdict(report)),
        )
        for line in (title, *lines, "")
    ).rstrip("\n")


def as_json(report: DrillReport) -> dict[str, Any]:
    """Return *report* for a program."""
    course, command = report.course, report.command
    return {
        "namespace": course.service.namespace,
        "name": course.service.name,
        "source_cluster": report.local,
        "level": "fail" if report.findings else "ok",
        "findings": list(report.findings),
        "from": iso(report.began.unix),
        "to": iso(report.ended.unix),
        "course": [
            {
                "at": iso(each.unix),
                "kind": "expected" if each.expected else "seen",
                "text": each.text,
            }
            for each in course.events
        ],
        "events_left_out": course.untold,
        "moves": [_move_as_json(each) for each in course.moves],
        "probes": {
            "interval_seconds": report.interval,
            "total": course.probes,
            "failed": course.failed.total(),
            "failures": dict(sorted(course.failed.items())),
            "dns_only": report.dns_only,
        },
        "outage_seconds": round(course.outage, 3),
        "unobserved_seconds": report.blind,
        "command": None
        if command is None
        else {
            "line": command.line,
            "exit_code": command.exit_code,
            "seconds": round(command.seconds, 3),
        },
    }


def _move_as_json(move: DrillMove) -> dict[str, Any]:
    failover = move.failover
    return {
        "at": iso(failover.unix),
        "from_cluster": failover.from_cluster,
        "to_cluster": failover.to_cluster,
        "expected_clusters": sorted(move.right),
        "reason": failover.reason,
        "durations_seconds": {k: round(v, 3) for k, v in failover.durations.items()},
        "accuracy_seconds": {k: round(v, 3) for k, v in failover.accuracy.items()},
    }


def _title(report: DrillReport) -> str:
    return f"Drill of {report.course.service}, as clients in {report.local} saw it"


def _head(report: DrillReport) -> Iterator[str]:
    began, ended = (datetime.fromtimestamp(each.unix, UTC) for each in (report.began, report.ended))
    yield _wrapped(
        f"{began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC, a probe every "
        f"{report.interval * 1000:.0f} ms unless the one before still waits"
    )
    if report.not_started is not None:
        yield _wrapped(f"the command was not started: {report.not_started}")
    if report.command is not None:
        code = report.command.exit_code
        how = "stopped" if code is None else f"exit code {code}"
        yield _wrapped(f"command, {how} after {report.command.seconds:.1f} s:")
        yield _wrapped(report.command.line, "    ")


def _course(course: Course) -> Iterator[str]:
    if not course.events:
        yield "  none"
    yield from map(line_of, course.events)
    if course.untold:
        yield _wrapped(f"{course.untold} more events were not kept")


def _moves(moves: Iterable[DrillMove]) -> Iterator[str]:
    none = True
    for each in moves:
        none, moved = False, each.failover
        why = "why is not known" if moved.reason is Reason.UNKNOWN else f"{moved.reason} changed"
        yield _wrapped(f"{moved.from_cluster} to {moved.to_cluster}: {why}")
        took = ", ".join(
            f"{stage} {seconds:.2f} s (±{moved.accuracy[stage]:.2f})"
            for stage, seconds in moved.durations.items()
        )
        yield _wrapped(took or "durations are not known: nobody probed meanwhile", "    ")
    if none:
        yield "  none"


def _lost(report: DrillReport) -> Iterator[str]:
    course = report.course
    if course.home is None:
        yield _wrapped("Nothing was counted, because the drill did not begin.")
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(course.failed.items()))
    yield _wrapped(
        f"{course.failed.total()} of {course.probes} probes failed"
        + (f" ({reasons})" if reasons else "")
        + f"; {course.outage:.1f} s without service in all."
    )
    yield _wrapped(
        "A probe stands for a client that asks at that moment. Requests of clients themselves are "
        "not counted: one that reached no cluster is in no log."
    )
    if report.dns_only:
        yield _wrapped(
            "Only the name was looked up, so whether anybody replied is not known; probe.http in "
            "the configuration makes requests, too."
        )
    if report.blind is not None:
        yield _wrapped(
            f"For {report.blind:.1f} s changes of the cluster could not be seen, so causes may be "
            "later here than they were."
        )


def _verdict(report: DrillReport) -> Iterator[str]:
    for each in report.findings:
        yield _wrapped(each, "  fail  ")
    if not report.findings:
        yield _wrapped("The service was taken over, and is served as before.", "  ok    ")


def _wrapped(text: str, first: str = "  ") -> str:
    # A word that is longer than the line stays whole, because half a name is of no use.
    return "\n".join(
        textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
