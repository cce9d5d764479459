"""The boards have the shape that Grafana's own types describe, see tests/data/grafana."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.fakes.boards import BOARDS, panels

FOLDER = Path(__file__).parents[1] / "data" / "grafana"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
IDS = SCHEMAS.pop("ids")
DASHBOARD = SCHEMAS["dashboard"]
# Grafana reads these keys of a Prometheus annotation, and its published types lack them.
ANNOTATION_KEYS = {"expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}
CLASSIC = 42
# What no type is published of: the query of the Prometheus data source.
TARGET = {
    "type": "object",
    "required": ["refId", "expr", "datasource"],
    "additionalProperties": False,
    "properties": {
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "expr": {"type": "string", "minLength": 1},
        "format": {"enum": ["time_series", "table", "heatmap"]},
        "instant": {"type": "boolean"},
        "range": {"type": "boolean"},
        "legendFormat": {"type": "string"},
        "editorMode": {"const": "code"},
        "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
    },
}


def wrong(schema, value, *, root=DASHBOARD):
    schema = {**schema, "definitions": root.get("definitions", {})}
    validator = jsonschema.Draft7Validator(schema)
    return [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)
    ]


@pytest.fixture(params=BOARDS)
def board(request):
    return BOARDS[request.param]


@pytest.fixture(params=[(name, panel["id"]) for name in BOARDS for panel in panels(BOARDS[name])])
def panel(request):
    name, number = request.param
    return next(each for each in panels(BOARDS[name]) if each["id"] == number)


def without(value, *keys):
    return {key: each for key, each in value.items() if key not in keys}


def test_the_board_itself(board):
    assert wrong(DASHBOARD, without(board, "panels", "annotations", "templating")) == []
    assert board["schemaVersion"] == CLASSIC
    for each in board["annotations"]["list"]:
        plain = without(each, *ANNOTATION_KEYS)
        assert wrong(DASHBOARD["definitions"]["AnnotationQuery"], plain) == []
    for each in board["templating"]["list"]:
        assert wrong(DASHBOARD["definitions"]["VariableModel"], each) == []


def test_panels(panel):
    kind = "RowPanel" if panel["type"] == "row" else "Panel"
    plain = without(panel, "options", "fieldConfig", "panels")
    given = {**plain, **({"panels": []} if kind == "RowPanel" else {})}
    assert wrong(DASHBOARD["definitions"][kind], given) == []
    for target in panel.get("targets", []):
        assert wrong(TARGET, target) == []


def test_options_and_fields_of_panels(panel):
    if panel["type"] == "row":
        return
    kind = panel["type"].replace("-", "")
    options = SCHEMAS[f"{kind}.Options"]
    assert wrong(options, panel["options"], root=options) == []
    defaults = panel["fieldConfig"]["defaults"]
    standard = DASHBOARD["definitions"]["FieldConfig"]
    assert wrong(standard, without(defaults, "custom")) == []
    if custom := SCHEMAS.get(f"{kind}.FieldConfig"):
        assert wrong(custom, defaults["custom"], root=custom) == []
    # A unit that Grafana does not know is a text behind the number.
    assert defaults["unit"] in IDS["units"] or re.fullmatch(r"suffix: \w+/s", defaults["unit"])
    assert defaults["color"]["mode"] in IDS["colors"]


def test_overrides_of_panels(panel):
    standard = DASHBOARD["definitions"]["FieldConfig"]["properties"]
    custom = SCHEMAS.get(f"{panel['type'].replace('-', '')}.FieldConfig", {})
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for each in override["properties"]:
            home, _, name = each["id"].rpartition(".")
            known, root = (custom["properties"], custom) if home else (standard, DASHBOARD)
            assert wrong(known[name], each["value"], root=root) == []
            assert name != "unit" or each["value"] in IDS["units"]


def test_transformations_are_known(panel):
    for each in panel.get("transformations", []):
        assert each["id"] in IDS["transformations"]
    fields = panel.get("options", {}).get("reduceOptions", {})
    assert set(fields.get("calcs", [])) <= set(IDS["reducers"])
