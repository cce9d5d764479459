"""Write the generated parts of the documentation; with --check only say what is out of date."""

import sys
from pathlib import Path

from exporter.expose.series import FAMILIES, Family

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: make generate -->\n", "<!-- end of generated -->\n"


def row(family: Family) -> str:
    """Return the table row of *family*."""
    labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"


def metrics_table() -> str:
    """Return the table of all series."""
    return "| series | type | labels | what it says |\n|---|---|---|---|\n" + "".join(
        map(row, FAMILIES)
    )


def renewed(text: str, table: str) -> str:
    """Return *text* with what stands between the marks replaced by *table*."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table + END + rest.split(END)[1]


def main() -> int:
    """Write or check; return the exit code."""
    path = DOCS / "metrics.md"
    old = path.read_text()
    new = renewed(old, metrics_table())
    if "--check" not in sys.argv:
        path.write_text(new)
    elif new != old:
        print(f"{path} is out of date: run make generate")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
