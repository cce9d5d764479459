"""What `check` prints: a report for a person, or JSON for a program."""

from typing import Any

from exporter.commands.check.service import Look
from exporter.commands.check.watch import Watched
from exporter.judge.report import Report


def as_text(report: Report) -> str:
    """Return *report* for a person: one line for each finding, and the verdict last."""
    width = max(len(finding.about) for finding in report.findings)
    lines = [f"{f.level:<4}  {f.about:<{width}}  {f.text}" for f in report.findings]
    return "\n".join([*lines, "", report.verdict])


def live(watched: Watched) -> str:
    """Return what a terminal shows while somebody watches, with durations up to now."""
    held = "" if watched.held is None else f" for {watched.held:.1f} s"
    first = f"mode {watched.mode}{held}; without service {watched.outage:.1f} s in all"
    return f"{first}\n\n{as_text(watched.look.report)}"


def as_json(look: Look) -> dict[str, Any]:
    """Return the result of one look for a program."""
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
