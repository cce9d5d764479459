"""
Panels as values, and the boards made of them by grafanalib.

grafanalib 0.7.1 emits parts of the dashboard model of Grafana 6 to 8. This module converts its
panels, queries and variables to schema version 42. That is the last version of the classic model,
and Grafana 10 to 13 read it unchanged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafanalib import core

from dashboards import look
from dashboards.look import PLAIN, Step

SCHEMA_VERSION = 42
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_LEGACY_PANEL = {"cacheTimeout", "editable", "error", "height", "hideTimeOverride", "minSpan"}
_LEGACY_BOARD = {
    "__inputs",
    "gnetId",
    "hideControls",
    "rows",
    "sharedCrosshair",
    "style",
    "timepicker",
}
_QUERY_KEYS = ("refId", "expr", "format", "instant", "legendFormat", "datasource")
_SHARED_CROSSHAIR = 1
_DESCRIPTION = "description"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query; a table is of the end of the range, unless *each* asks for all of it."""

    expr: str
    legend: str = "__auto"
    table: bool = False
    each: bool = False
    heatmap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel; what it answers is its description, why it may be empty its *empty*."""

    kind: str
    title: str
    description: str
    empty: str
    width: int
    height: int
    queries: Sequence[Query]
    unit: str = "short"
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    steps: Sequence[Step] = PLAIN
    color: Mapping[str, Any] = field(default_factory=lambda: {"mode": "thresholds"})
    mappings: Sequence[Mapping[str, Any]] = ()
    overrides: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    transformations: Sequence[Mapping[str, Any]] = ()
    links: Sequence[Mapping[str, Any]] = ()
    points: int | None = None
    """At most so many points; where a panel cannot draw more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and the lines of panels under it."""

    title: str
    lines: Sequence[Sequence[Panel | Sequence[Panel]]]
    """The panels of each line from left to right; those of a sequence stand below each other."""
    collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a board. *query* is a label_values() unless *kind* says otherwise."""

    name: str
    label: str
    query: str
    kind: str = "query"
    many: bool = False
    regex: str | None = None
    hidden: bool = False


def constant(name: str, value: str) -> Variable:
    """Return a variable that nobody sees and nobody changes."""
    return Variable(name=name, label=name, query=value, kind="constant", hidden=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A whole board."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    sections: Sequence[Section]
    annotations: Sequence[Mapping[str, Any]] = ()

    def as_json(self, others: Sequence[Mapping[str, Any]]) -> Json:
        """Return the board as Grafana reads it; *others* are the links to other boards."""
        made: Json = core.Dashboard(
            title=self.title,
            uid=self.uid,
            description=self.description,
            tags=["clusterset"],
            editable=False,
            schemaVersion=SCHEMA_VERSION,
            graphTooltip=_SHARED_CROSSHAIR,
            refresh="30s",
            time=core.Time("now-3h", "now"),
            timezone="browser",
            version=1,
            templating=core.Templating(list=list(map(_variable, self.variables))),
            annotations=core.Annotations(list=list(self.annotations)),
            panels=list(_placed(self.sections)),
            links=list(others),
        ).to_json_data()
        kept = {key: value for key, value in made.items() if key not in _LEGACY_BOARD}
        board: Json = _pruned(_plain(kept))
        return board


def link(board: Board) -> Mapping[str, Any]:
    """Return the link to *board* that others show on top, keeping time and variables."""
    made: Json = core.DashboardLink(
        type="link",
        title=board.title,
        icon="dashboard",
        keepTime=True,
        includeVars=True,
        uri=f"/d/{board.uid}",
        tooltip=board.description,
    ).to_json_data()
    return made


def _placed(sections: Sequence[Section]) -> Iterator[Json]:
    number, top = 0, 0
    for section in sections:
        number += 1
        inner, heading, top = [], (number, top), top + 1
        for line in section.lines:
            left = 0
            columns = [[each] if isinstance(each, Panel) else each for each in line]
            for column in columns:
                below = top
                for panel in column:
                    number += 1
                    at = core.GridPos(h=panel.height, w=panel.width, x=left, y=below)
                    inner.append(_panel(panel, number, at))
                    below += panel.height
                left += max(panel.width for panel in column)
            top += max(sum(panel.height for panel in column) for column in columns)
        yield _row(section, *heading, inner if section.collapsed else [])
        if section.collapsed:
            top = heading[1] + 1
        else:
            yield from inner


def _row(section: Section, number: int, top: int, panels: list[Json]) -> Json:
    return {
        "type": "row",
        "id": number,
        "title": section.title,
        "collapsed": section.collapsed,
        "gridPos": core.GridPos(h=1, w=COLUMNS, x=0, y=top),
        "panels": panels,
    }


def _panel(panel: Panel, number: int, at: core.GridPos) -> Json:
    targets = [_target(query, chr(ord("A") + index)) for index, query in enumerate(panel.queries)]
    made: Json = core.Panel(
        title=panel.title,
        description=panel.description,
        dataSource=SOURCE,
        gridPos=at,
        id=number,
        maxDataPoints=panel.points,
        targets=targets,
        transformations=list(panel.transformations),
    ).panel_json({"type": panel.kind, "options": dict(panel.options)})
    made["fieldConfig"] = {"defaults": _defaults(panel), "overrides": list(panel.overrides)}
    return {key: value for key, value in made.items() if key not in _LEGACY_PANEL | {"span"}}


def _defaults(panel: Panel) -> Json:
    return {
        "unit": panel.unit,
        "decimals": panel.decimals,
        "min": panel.least,
        "max": panel.most,
        "noValue": panel.empty,
        "color": dict(panel.color),
        "mappings": list(panel.mappings),
        "thresholds": look.steps(*panel.steps),
        "links": list(panel.links),
        "custom": dict(panel.custom),
    }


def _target(query: Query, ref: str) -> Json:
    form = "table" if query.table else "heatmap" if query.heatmap else "time_series"
    instant = query.table and not query.each
    made: Json = core.Target(
        expr=query.expr,
        format=form,
        instant=instant,
        legendFormat=query.legend,
        refId=ref,
        datasource=SOURCE,
    ).to_json_data()
    return {key: made[key] for key in _QUERY_KEYS} | {"range": not instant, "editorMode": "code"}


def _variable(variable: Variable) -> Json:
    if variable.kind != "query":
        return _fixed(variable)
    made: Json = core.Template(
        name=variable.name,
        label=variable.label,
        query={"query": variable.query, "refId": variable.name, "qryType": 1},
        dataSource=SOURCE,
        type="query",
        refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
        includeAll=variable.many,
        multi=variable.many,
        allValue=".*" if variable.many else None,
        regex=variable.regex or "",
        sort=core.SORT_ALPHA_ASC,
        hide=core.HIDE_VARIABLE if variable.hidden else core.SHOW,
    ).to_json_data()
    # What is hidden follows from the data, and an address of the board would keep what was.
    made["skipUrlSync"] = variable.hidden
    gone = {"auto", "auto_count", "auto_min", "tagsQuery", "tagValuesQuery", "useTags", "current"}
    kept = {key: value for key, value in made.items() if key not in gone}
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return kept | ({"current": everything} if variable.many else {})


def _fixed(variable: Variable) -> Json:
    made = {
        "name": variable.name,
        "label": variable.label,
        "type": variable.kind,
        "query": variable.query,
        "hide": core.HIDE_VARIABLE if variable.hidden else core.SHOW,
    }
    return made | ({"refresh": 1} if variable.kind == "datasource" else {})


def _pruned(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without nulls, which Grafana's types forbid; but a step's value may be null."""
    if isinstance(value, dict):
        return {
            key: _pruned(each)
            for key, each in value.items()
            # The value of the base step, which says "from the least on", is null.
            if each is not None or (key == "value" and "color" in value)
        }
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with grafanalib's objects written out."""
    if hasattr(value, "to_json_data"):
        return _plain(value.to_json_data())
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
