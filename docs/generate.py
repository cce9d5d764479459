"""Write the generated parts of the documentation. With --check, only report outdated parts."""

import sys
from dataclasses import fields
from pathlib import Path

from dashboards import files
from dashboards.alerts import Alert
from dashboards.thresholds import Thresholds, key
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


PARTS = {"metrics.md": metrics_table, "dashboards.md": alerts_tables}


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
