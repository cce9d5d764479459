"""The kinds of panels that the boards use, each set up once."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from dashboards import look
from dashboards.bridge import Panel, Query
from dashboards.lines import Lines
from dashboards.look import Step

PLAIN = {"mode": "fixed", "fixedColor": look.TEXT}
"""Also of states: a timeline coloured by thresholds would not heed its value mappings."""
AMOUNTS = {"mode": "continuous-blues"}
"""In a matrix: the darker, the more."""
NARROWEST = 90
"""Pixels of a column. Grafana's own 150 would hide the last ones of a table behind a scrollbar."""
TEN = 13
"""Height at which a matrix shows ten clusters, with long names, without a scrollbar."""
_NAME = 250
"""Pixels of a long name. It is not wrapped: rows of several lines would be too high for ten."""
SERVICE_LINK = (
    "/d/clusterset-service?${datasource:queryparam}&${__url_time_range}"
    "&var-namespace=%s&var-service=%s"
)


class Words(TypedDict, total=False):
    """What may be said of any panel, see `Panel`."""

    width: int
    height: int
    unit: str
    decimals: int
    least: float
    most: float
    steps: Sequence[Step]
    color: Mapping[str, Any]
    mappings: Sequence[Mapping[str, Any]]
    overrides: Sequence[Mapping[str, Any]]
    transformations: Sequence[Mapping[str, Any]]
    links: Sequence[Mapping[str, Any]]
    points: int


def _panel(
    kind: str,
    texts: tuple[str, str, str],
    queries: Sequence[Query],
    options: Mapping[str, Any],
    custom: Mapping[str, Any],
    words: Words,
) -> Panel:
    title, description, empty = texts
    return Panel(
        kind=kind,
        title=title,
        description=description,
        empty=empty,
        queries=queries,
        options=options,
        custom=custom,
        **words,
    )


def stat(
    title: str, description: str, empty: str, *queries: Query, **words: Unpack[Words]
) -> Panel:
    """Return a large number, with its course behind it unless it is made of words."""
    worded, named = "mappings" in words, any(query.legend != "__auto" for query in queries)
    options = {
        "colorMode": "background" if worded else "value",
        "graphMode": "none" if worded else "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "value_and_name" if worded or named else "value",
        "wideLayout": True,
    }
    filled: Words = {"width": 3, "height": 4, **words}
    return _panel("stat", (title, description, empty), queries, options, {}, filled)


def graph(
    title: str,
    description: str,
    empty: str,
    *queries: Query,
    lines: Lines | None = None,
    stacked: bool = False,
    reach: float | None = None,
    **words: Unpack[Words],
) -> Panel:
    """
    Return lines over time.

    Args:
        title: Of the panel.
        description: What it answers.
        empty: Why it may be empty.
        queries: Of the lines; if these are named after clusters, made by *lines*.
        lines: What gives them their colour. If absent, they are of kinds, and have shades.
        stacked: Whether they are areas on top of each other.
        reach: The least end of the axis.
        words: As of any panel. Their overrides count more than those of *lines*.
    """
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    custom = {
        "drawStyle": "line",
        "fillOpacity": 40 if stacked else 0,
        "lineWidth": 1,
        "lineInterpolation": "linear",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "axisSoftMin": 0,
        **({} if reach is None else {"axisSoftMax": reach}),
    }
    color = look.KINDS if lines is None else PLAIN
    filled: Words = {"width": 12, "height": 8, "color": color, **words}
    own = () if lines is None else lines.overrides()
    filled["overrides"] = [*own, *filled.get("overrides", ())]
    return _panel("timeseries", (title, description, empty), queries, options, custom, filled)


def timeline(
    title: str, description: str, empty: str, *queries: Query, **words: Unpack[Words]
) -> Panel:
    """Return states over time, a bar a series, their names in the bars."""
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "perPage": 20,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 85, "lineWidth": 0}
    filled: Words = {"width": 24, "height": 8, "color": PLAIN, **words}
    return _panel("state-timeline", (title, description, empty), queries, options, custom, filled)


def table(
    title: str,
    description: str,
    empty: str,
    *queries: Query,
    paged: bool = True,
    **words: Unpack[Words],
) -> Panel:
    """Return a table, with pages or all on one."""
    options = {
        "cellHeight": "sm",
        "enablePagination": paged,
        "frameIndex": 0,
        "showHeader": True,
        "sortBy": [],
    }
    custom = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "filterable": False,
        "inspect": False,
        "minWidth": NARROWEST,
        "wrapHeaderText": True,
        # What is cut off could be what tells two names apart.
        "wrapText": True,
    }
    filled: Words = {"width": 12, "height": 8, **words}
    filled["overrides"] = [look.NO_CELL, *filled.get("overrides", ())]
    return _panel("table", (title, description, empty), queries, options, custom, filled)


def matrix(title: str, description: str, empty: str, query: Query, **words: Unpack[Words]) -> Panel:
    """Return a table of clusters of clients by clusters that serve, the cells coloured."""
    corner = look.override(
        "source_cluster\\destination_cluster",
        displayName="clients in ↓ served by →",
        custom__align="left",
        custom__cellOptions={"type": "auto"},
        custom__width=_NAME,
        unit="string",
    )
    options = {
        "rowField": "source_cluster",
        "columnField": "destination_cluster",
        "valueField": "Value",
        "emptyValue": "null",
    }
    steps = [
        *(_by(field) for field in ("destination_cluster", "source_cluster")),
        {"id": "groupingToMatrix", "options": options},
    ]
    cells: Words = {
        "width": 12,
        "height": 8,
        "transformations": steps,
        **words,
        "overrides": [look.NO_CELL, corner],
    }
    return _panel(
        "table",
        (title, description, empty),
        [query],
        {"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
        {
            "align": "center",
            "inspect": False,
            # The usual 150 pixels would give ten clusters a scrollbar.
            "minWidth": 40,
            "wrapHeaderText": True,
            "cellOptions": {"type": "color-background", "mode": "basic"},
        },
        cells,
    )


def _by(field: str, *, largest_first: bool = False) -> dict[str, Any]:
    return {"id": "sortBy", "options": {"sort": [{"field": field, "desc": largest_first}]}}


def heatmap(
    title: str, description: str, empty: str, query: Query, **words: Unpack[Words]
) -> Panel:
    """Return how often which duration occurred over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Viridis",
            "steps": 64,
            "exponent": 0.5,
            "fill": "dark-orange",
            "reverse": False,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    }
    filled: Words = {"width": 12, "height": 8, **words}
    return _panel("heatmap", (title, description, empty), [query], options, {}, filled)


def merged(
    columns: Mapping[str, str], *, gone: Sequence[str] = (), sort: str | None = None
) -> list[dict[str, Any]]:
    """
    Return the steps that make one table of several queries.

    Args:
        columns: What each column that is kept is called, in order: `Value #A` or a label.
        gone: Columns left out besides the time.
        sort: The column, by its new name, by which rows are sorted, the largest first.
    """
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(("Time", *gone), True),
            "indexByName": {name: index for index, name in enumerate(columns)},
            "renameByName": dict(columns),
        },
    }
    by = (
        []
        if sort is None
        else [{"id": "sortBy", "options": {"sort": [{"field": sort, "desc": True}]}}]
    )
    return [{"id": "merge", "options": {}}, organize, *by]


def service_link(namespace: str, service: str) -> list[dict[str, Any]]:
    """Return the link to the board of the service that these expressions name."""
    url = SERVICE_LINK % (namespace, service)
    return [{"title": "Open this service", "url": url, "targetBlank": False}]
