"""Write the generated parts of the documentation. With --check, only report outdated parts."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
from dashboards import files
from dashboards.alerts import Alert
from dashboards.thresholds import Thresholds, key
from exporter.cli.main import PROGRAM, cli
from exporter.judge.failover_states import TRANSITIONS, Action, Event, State
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Family

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: make generate -->\n", "<!-- end of generated -->\n"
WIDTH = 120
"""Longest line of prose in Markdown."""


def row(family: Family) -> str:
    """Return the table row of *family*."""
    labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"


def metrics_table() -> str:
    """Return the table of all series."""
    return "| series | type | labels | meaning |\n|---|---|---|---|\n" + "".join(
        map(row, FAMILIES)
    )


def alert_row(alert: Alert) -> str:
    """Return the table row of *alert*."""
    name = f"[{alert.name}](runbooks/{alert.name}.md)"
    return f"| {name} | {alert.severity} | {alert.wait} | {alert.scope} | {alert.summary} |\n"


def alerts_tables() -> str:
    """Return the tables of all alerts and of all thresholds."""
    defaults = Thresholds()
    alerts = "| alert | severity | for | rules | meaning |\n|---|---|---|---|---|\n" + "".join(
        map(alert_row, files.alerts(defaults))
    )
    thresholds = "".join(
        f"| `{key(each.name)}` | `{getattr(defaults, each.name)}` | {each.metadata['help']} |\n"
        for each in fields(Thresholds)
    )
    return (
        f"{alerts}\n## Thresholds\n\n"
        "In the values of the chart they are under `alerts:`. For plain files, change\n"
        "`dashboards/thresholds.py` and run `make dashboards`.\n\n"
        f"| name | default | meaning |\n|---|---|---|\n{thresholds}"
    )


STATES = {
    State.UNSEEN: "No cluster has served yet.",
    State.STEADY: "One cluster serves, or was the last to serve.",
    State.MOVING: "Another cluster has replied, and not often enough.",
}
EVENTS = {
    Event.SAME: "The serving cluster replied, or one that takes turns with it.",
    Event.OTHER: "Another cluster replied, and not often enough.",
    Event.ENOUGH: "Another cluster replied often enough, or a change explained its earlier replies.",
    Event.FAILED: "Nobody replied, and the answer did not name the other cluster.",
    Event.LOST: "Nobody replied: no answer came, or the answer named the other cluster.",
    Event.TURNS: "A change says that both clusters are right: they take turns.",
    Event.GAP: "Nobody looked for long.",
}
ACTIONS = {
    Action.ADOPT: "Take it as the serving cluster. Nothing moved.",
    Action.KEEP: "Go on with it, and forget other replies.",
    Action.COUNT: "Count the reply of the other cluster.",
    Action.MOVE: "Report the move.",
    Action.FAIL: "Count a failed probe.",
    Action.FAIL_ANEW: "Count a failed probe, and forget the replies of the other cluster.",
    Action.JOIN: "Let the clusters take turns. Nothing moved.",
    Action.FORGET: "Forget what was under way: its times mean nothing.",
}


def failover_tables() -> str:
    """Return the tables of the failover machine."""
    words = "".join(
        f"| {title} | meaning |\n|---|---|\n"
        + "".join(f"| `{each}` | {meaning} |\n" for each, meaning in meanings.items())
        + "\n"
        for title, meanings in (("state", STATES), ("event", EVENTS), ("action", ACTIONS))
    )
    rows = "".join(
        f"| `{state}` | `{event}` | `{action}` | `{following}` |\n"
        for (state, event), (action, following) in TRANSITIONS.items()
    )
    return f"{words}| state | event | action | next state |\n|---|---|---|---|\n{rows}"


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield the words and the object of each command that is not a group of others."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        elif found is not None:
            yield " ".join((*path, name)), found


def option_cells(option: click.Option) -> tuple[str, ...]:
    """Return the cells of *option*: flag, value, environment variables, default, meaning."""
    meaning, _, noted = (option.help or "").partition("  [default: ")
    value = option.metavar or option.type.name.upper().partition(" ")[0]
    if isinstance(option.type, click.Choice):
        value = ", ".join(f"`{each}`" for each in option.type.choices)
    elif option.is_flag:
        value = ""
    else:
        value = f"`{value}`"
    names = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    default = noted.rstrip("]")
    if option.required:
        default = "required"
    elif option.show_default:
        given = option.default if isinstance(option.default, (list, tuple)) else [option.default]
        default = ", ".join(f"`{each}`" for each in given)
    flags = ", ".join(f"`{each}`" for each in option.opts)
    return flags, value, ", ".join(f"`{each}`" for each in names), default, meaning.replace("|", r"\|")


def command_reference(name: str, command: click.Command) -> str:
    """Return the usage, the text and the options of *command*, as --help has them."""
    arguments = "".join(
        f" {each.metavar or each.human_readable_name}"
        for each in command.params
        if isinstance(each, click.Argument)
    )
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    text = "\n\n".join(textwrap.fill(" ".join(each.split()), WIDTH, break_long_words=False) for each in paragraphs)
    rows = [option_cells(each) for each in command.params if isinstance(each, click.Option)]
    head = ("flag", "value", "environment", "default", "meaning")
    # A column that says nothing is left out.
    kept = [at for at in range(len(head)) if any(row[at] for row in rows)]
    lines = ["| " + " | ".join(row[at] for at in kept) + " |\n" for row in (head, *rows)]
    lines.insert(1, "|---" * len(kept) + "|\n")
    table = "".join(lines)
    usage = f"```text\n{PROGRAM} {name}{' [OPTIONS]' if rows else ''}{arguments}\n```\n"
    return f"{usage}\n{text}\n" + (f"\n{table}" if rows else "")


def in_commands(text: str) -> str:
    """Return the page of commands *text* with the generated part of each; every command has one."""
    for name, command in commands():
        begin = f"<!-- generated: {name} -->\n"
        if begin not in text:
            text = f"{text}\n## {name}\n\n{begin}{END}"
        text = between(text, begin, command_reference(name, command))
    return text


PARTS = {
    "failover.md": failover_tables,
    "metrics.md": metrics_table, "dashboards.md": alerts_tables,
}


def between(text: str, begin: str, made: str) -> str:
    """Return *text* with *made* between the mark *begin* and the mark of an end after it."""
    before, rest = text.split(begin)
    return before + begin + made + END + rest.split(END, 1)[1]


def pages() -> Iterator[tuple[Path, str]]:
    """Yield the path of each page with generated parts, and its new text."""
    for name, made in PARTS.items():
        path = DOCS / name
        yield path, between(path.read_text(), BEGIN, made())
    path = DOCS / "command-line.md"
    yield path, in_commands(path.read_text())


def main() -> int:
    """Write or check; return the exit code."""
    stale = 0
    for path, new in pages():
        if "--check" not in sys.argv:
            path.write_text(new)
        elif new != path.read_text():
            print(f"{path} is out of date: run make generate")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
