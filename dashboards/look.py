"""Colours and words: each colour stands beside a text; colour-blind people tell them apart."""

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
    "#999999",
)

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
    Locality.PINNED: PURPLE,
    Locality.SPREAD: YELLOW,
    Locality.LEAK: VERMILLION,
    Locality.EXTERNAL: BLUE,
    Locality.UNKNOWN: GREY,
}

Step = tuple[float | None, str]
"""From which value on a colour holds; None: from the least."""

GOOD_IF_ZERO: tuple[Step, ...] = ((None, GREEN), (1, VERMILLION))
WARN_IF_ANY: tuple[Step, ...] = ((None, GREEN), (1, ORANGE))
PLAIN: tuple[Step, ...] = ((None, BLUE),)


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


def coloured(name: str, colour: str) -> dict[str, Any]:
    """Return an override that gives a series of this name its colour."""
    return override(name, color={"mode": "fixed", "fixedColor": colour})


def override(column: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - Grafana's values
    """Return an override of one column or series; `custom__x` stands for custom.x."""
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [
            {"id": name.replace("__", "."), "value": value} for name, value in properties.items()
        ],
    }


NO_CELL = {
    "matcher": {"id": "byRegexp", "options": "/.*/"},
    "properties": [{"id": "noValue", "value": "-"}],
}
"""In a table, a cell without a value; what a panel says when all is empty would stand there."""

LOCALITY_COLOURS = [coloured(str(locality), colour) for locality, colour in LOCALITIES.items()]


def runbook(address: str) -> list[dict[str, str]]:
    """Return the links of an alert's name to its page below *address*; none if that is empty."""
    return [{"title": "Runbook", "url": "${runbooks}/${__value.text}.md"}] if address else []
