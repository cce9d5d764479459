"""The generated boards and rules, as tests read them."""

import json
import re
from pathlib import Path

from dashboards import files
from dashboards.thresholds import Thresholds

GENERATED = Path(__file__).parents[2] / "dashboards" / "generated"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(GENERATED.glob("boards/*"))}
RUNBOOKS = "https://docs.test/runbooks"
VALUES = {
    files.IN_CHARTS["runbook_url"]: RUNBOOKS,
    files.IN_CHARTS["slo"]: Thresholds().slo,
    files.IN_CHARTS["slo_locality"]: Thresholds().slo_locality,
}


def filled(text):
    """Return a board of a chart as the chart fills it in."""
    for place, value in VALUES.items():
        text = text.replace(place, value)
    return text


LINKED = {
    path.stem: json.loads(filled(path.read_text()))
    for path in sorted(GENERATED.glob("chart/boards/*"))
}
"""The boards with links to runbooks, as a chart makes them that knows the address."""
SERIES = re.compile(
    r"\b(?:clusterset|process|scrape)_[a-z_]+|\bup\b|\bALERTS\b|\b\w+:clusterset_\w+:\w+"
)


def panels(board):
    """Yield each panel, those in collapsed rows too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions(board):
    """Yield each expression of a board: of panels, variables and annotations."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for annotation in board["annotations"]["list"]:
        yield annotation["expr"]


def series(expression):
    """Return the series that an expression names; labels and texts are none."""
    plain = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|(?:by|without|on|ignoring|group_left) \([^)]*\)", "", plain)
    return set(SERIES.findall(bare))
