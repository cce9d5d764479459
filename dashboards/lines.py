"""
Lines that are named after clusters: on all graphs of a board, a cluster has the same colour.

A generated board does not know the names of clusters, and Grafana colours lines by their order in a
graph or by palettes of its own. So hidden variables hold the first ten names in alphabetical order.
A query marks each line with the place of its name. Overrides find the mark, and give the line its
colour and its plain name. A board about exporters does the same with their instances.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import look
from dashboards.bridge import Query, Variable

_MARK = "mark"
"""The label that holds the mark; no series has one of this name."""


def _variable(place: int) -> str:
    return f"colour_{place}"


def _mark(place: int) -> str:
    # Names of clusters and addresses of exporters cannot begin like this.
    return f"#{place} "


def variables(series: str, label: str, matchers: str = "") -> list[Variable]:
    """
    Return the hidden variables that hold the names, a name each, or nothing.

    Args:
        series: A series that exists for each name.
        label: The label that holds the name.
        matchers: Which of the series count.
    """
    found = []
    for place in range(len(look.CLUSTERS)):
        before = "|".join(f"${_variable(each)}" for each in range(place))
        kept = [matchers, f'{label}!~"{before}"' if before else ""]
        query = f"label_values({series}{{{','.join(filter(None, kept))}}}, {label})"
        found.append(
            Variable(name=_variable(place), label=_variable(place), query=query, hidden=True)
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What lines are called, and what gives them their colour."""

    by: str
    """The label whose value has the colour."""
    name: str
    """The name of a line, with labels in double braces."""

    def query(self, expr: str) -> Query:
        """Return the query of such lines."""
        for place in range(len(look.CLUSTERS)):
            marked = f'"{_MARK}", "{_mark(place)}", "{self.by}", "${_variable(place)}"'
            expr = f"label_replace({expr}, {marked})"
        return Query(expr=expr, legend=f"{{{{{_MARK}}}}}{self.name}")

    def overrides(self) -> Sequence[Mapping[str, Any]]:
        """Return what colours the lines and takes the mark out of their names."""
        shown = re.sub(r"\{\{(\w+)\}\}", r"${__field.labels.\1}", self.name)
        return [
            look.override_of(
                f"/^{_mark(place)}/",
                color={"mode": "fixed", "fixedColor": colour},
                displayName=shown,
            )
            for place, colour in enumerate(look.CLUSTERS)
        ]


OF_SOURCES = Lines(by="source_cluster", name="{{source_cluster}}")
OF_DESTINATIONS = Lines(by="destination_cluster", name="{{destination_cluster}}")
OF_PAIRS = Lines(by="destination_cluster", name="{{source_cluster}} → {{destination_cluster}}")
"""A pair has the colour of the cluster that serves."""
OF_EXPORTERS = Lines(by="instance", name="{{instance}}")
