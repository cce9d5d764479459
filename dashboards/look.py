"""
Colours and words: each colour stands beside a text; colour-blind people tell them apart.

A colour means one thing on a board, see docs/decisions/0016-colours.md: a state or a locality, a
cluster, or nothing (`TEXT` and the shades of `KINDS`).
"""

from collections.abc import Mapping
from typing import Any

from dashboards.queries import MODE_CODES
from exporter.model.verdicts import Locality, Mode

# The palette of M. Okabe and K. Ito, "Color Universal Design", 2008.
GREEN, SKY, ORANGE, PURPLE, VERMILLION, BLUE, YELLOW, GREY = (
    "#009E73",
    "#56B4E9",
    "#E69F00",
    "#CC79A7",
    "#D55E00",
    "#0072B2",
    "#F0E442",
    # Its own grey, #999999, is its purple for people who are green-blind.
    "#CACACA",
)
# That palette has no more colours: these two differ from it for the colour-blind too.
WINE, INDIGO = "#962D4B", "#4B00FF"

MODES = {
    Mode.LOCAL: GREEN,
    Mode.REMOTE: SKY,
    Mode.FAILOVER: ORANGE,
    Mode.MIXED: PURPLE,
    Mode.DEGRADED: YELLOW,
    Mode.BLACKOUT: VERMILLION,
    Mode.UNKNOWN: GREY,
}
LOCALITIES = {
    Locality.LOCAL: GREEN,
    Locality.REMOTE: SKY,
    Locality.FAILOVER: ORANGE,
    Locality.PINNED: WINE,
    Locality.SPREAD: INDIGO,
    Locality.LEAK: VERMILLION,
    Locality.EXTERNAL: BLUE,
    Locality.UNKNOWN: GREY,
}

CLUSTERS = (
    "#5A2DC3",
    "#A5B45A",
    "#784B00",
    "#9696FF",
    "#78871E",
    "#4B4B69",
    "#784BFF",
    "#7878C3",
    "#4B7869",
    "#B4A5B4",
)
"""Of the clusters of a board in alphabetical order; the first ones differ most."""
TEXT = "text"
"""Grafana's own colour of texts, for what is neither a state nor a cluster."""
KINDS = {"mode": "shades", "fixedColor": "#004BA5"}
"""Of lines that are told apart by kind, such as an outcome: shades of one colour."""

Step = tuple[float | None, str]
"""From which value on a colour holds; None: from the least."""

GOOD_IF_ZERO: tuple[Step, ...] = ((None, GREEN), (1, VERMILLION))
WARN_IF_ANY: tuple[Step, ...] = ((None, GREEN), (1, ORANGE))
PLAIN: tuple[Step, ...] = ((None, TEXT),)


def steps(*given: Step) -> dict[str, Any]:
    """Return thresholds as an override gives them."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": colour} for value, colour in given],
    }


def words(values: Mapping[Any, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return a value mapping: each value's text and colour."""
    options = {
        str(value): {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]


MODE_WORDS = words({code: (str(mode), MODES[mode]) for mode, code in MODE_CODES.items()})


def yes_no(yes: str, no: str, *, bad: str = VERMILLION) -> list[dict[str, Any]]:
    """Return the words for 1 and 0."""
    return words({1: (yes, GREEN), 0: (no, bad)})


def coloured(name: str, colour: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as below
    """Return an override that gives a series of this name its colour."""
    return override(name, color={"mode": "fixed", "fixedColor": colour}, **more)


def override(column: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - Grafana's values
    """Return an override of one column or series; `custom__x` stands for custom.x."""
    return _override("byName", column, properties)


def override_of(pattern: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return an override of what a regular expression finds; it stands between slashes."""
    return _override("byRegexp", pattern, properties)


def _override(matcher: str, of: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": matcher, "options": of},
        "properties": [
            {"id": name.replace("__", "."), "value": value} for name, value in properties.items()
        ],
    }


DASHES = {"fill": "dash", "dash": [8, 6]}
NO_CELL = override_of("/.*/", noValue="-")
"""In a table, a cell without a value; what a panel says when all is empty would stand there."""

LOCALITY_COLOURS = [coloured(str(locality), colour) for locality, colour in LOCALITIES.items()]


def runbook(address: str) -> list[dict[str, str]]:
    """Return the links of an alert's name to its page below *address*; none if that is empty."""
    return [{"title": "Runbook", "url": "${runbooks}/${__value.text}.md"}] if address else []
