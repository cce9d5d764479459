"""Write the generated parts of the documentation. With --check, only report outdated parts."""

import sys
from dataclasses import fields
from pathlib import Path

from dashboards import files
from dashboards.alerts import Alert
from dashboards.thresholds import Thresholds, key
from exporter.judge.failover_states import TRANSITIONS, Action, Event, State
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Family

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: make generate -->\n", "<!-- end of generated -->\n"


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


PARTS = {
    "failover.md": failover_tables,
    "metrics.md": metrics_table, "dashboards.md": alerts_tables,
}


def renewed(text: str, table: str) -> str:
    """Return *text* with *table* between the two marks."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table + END + rest.split(END)[1]


def main() -> int:
    """Write or check; return the exit code."""
    stale = 0
    for name, made in PARTS.items():
        path = DOCS / name
        old = path.read_text()
        new = renewed(old, made())
        if "--check" not in sys.argv:
            path.write_text(new)
        elif new != old:
            print(f"{path} is out of date: run make generate")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
