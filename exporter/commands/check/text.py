"""What `check` prints: a report for a person, or JSON for a program."""

import textwrap
from typing import Any

from exporter.commands.check.service import Look
from exporter.commands.check.watch import Watched
from exporter.judge.report import Report

MIN_TEXT = 30
"""Columns that the text of a finding needs beside what it is about; else it is below."""
_LEVEL = 6
"""Columns of the level of a finding, with the spaces after it."""


def as_text(report: Report, columns: int | None = None) -> str:
    """
    Return *report* for a person: each finding, and the verdict last.

    Args:
        report: The result of one look.
        columns: Lines are broken between words to have at most so many; None: one a finding.
    """
    width = max(len(finding.about) for finding in report.findings)
    lines = [
        line
        for f in report.findings
        for line in _broken(f"{f.level:<{_LEVEL - 2}}  {f.about:<{width}}  ", f.text, columns)
    ]
    return "\n".join([*lines, "", *_broken("", report.verdict, columns)])


def _broken(head: str, text: str, columns: int | None) -> list[str]:
    if columns is None:
        return [head + text]
    if columns - len(head) >= MIN_TEXT:
        return _wrapped(text, columns, head, " " * len(head))
    level, about = head[:_LEVEL], head[_LEVEL:]
    indent = " " * len(level)
    return [*_wrapped(about, columns, level, indent), *_wrapped(text, columns, indent, indent)]


def _wrapped(text: str, columns: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def live(watched: Watched, columns: int | None = None) -> str:
    """Return what a terminal shows while somebody watches, with durations up to now."""
    held = "" if watched.held is None else f" for {watched.held:.1f} s"
    first = f"mode {watched.mode}{held}; without service {watched.outage:.1f} s in all"
    return f"{first}\n\n{as_text(watched.look.report, columns)}"


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
