"""
The rules of Grafana's dashboard-linter that apply, and some of our own.

Those about job and instance hold for the board of the exporters only: the series of the others
are this exporter's alone, and one of their lines is made of those of many jobs.
"""

import re
from itertools import combinations

import pytest

from tests.fakes.boards import BOARDS, expressions, panels
from tests.fakes.grafana import ALL

COLUMNS = 24
BUILT_IN = {"__from", "__interval", "__range", "__rate_interval"}
LINK_MACROS = {"__url_time_range", "__field", "__value", "__data"}


@pytest.fixture(params=BOARDS)
def board(request):
    return BOARDS[request.param]


def queried(board):
    return [panel for panel in panels(board) if panel["type"] != "row"]


def variables(board):
    return {each["name"]: each for each in board["templating"]["list"]}


def places(text):
    """Return the names of variables in a text."""
    return {a or b for a, b in re.findall(r"\$\{(\w+)[^}]*\}|\$([a-z_]\w*)", text)}


def links(board):
    for panel in panels(board):
        yield from panel.get("fieldConfig", {}).get("defaults", {}).get("links", [])
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            for each in override["properties"]:
                yield from each["value"] if each["id"] == "links" else []
    yield from board["links"]


def test_one_data_source_that_can_be_chosen(board):
    (source,) = [each for each in variables(board).values() if each["type"] == "datasource"]
    assert (source["name"], source["label"], source["query"]) == (
        "datasource",
        "Data source",
        "prometheus",
    )
    for panel in queried(board):
        assert panel["datasource"]["uid"] == "${datasource}"


def test_variables_follow_the_time_range(board):
    for each in variables(board).values():
        assert each["type"] != "query" or each["refresh"] == 2
        if each.get("includeAll"):
            assert each["multi"]
            assert each["allValue"] == ".*"
            assert each["current"]["value"] == [ALL]


def test_the_board_of_the_exporters_has_job_and_instance():
    board = BOARDS["clusterset-exporter"]
    assert {"job", "instance"} <= variables(board).keys()
    for panel in queried(board):
        for target in panel["targets"]:
            own = 'job=~"$job",instance=~"$instance"' in target["expr"]
            assert own or "ALERTS" in target["expr"], panel["title"]


def test_panels_say_what_they_show_and_why_they_may_be_empty(board):
    titles = [panel["title"] for panel in queried(board)]
    assert len(titles) == len(set(titles))
    for panel in queried(board):
        assert panel["title"]
        assert len(panel["description"].split()) > 2
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["targets"]


def test_counters_are_within_a_rate_over_grafanas_interval(board):
    for expression in expressions(board):
        if expression.startswith("label_values"):
            continue
        # That a move has made its counter grow is seen by the counter itself.
        known = "clusterset_failovers_total"
        for before, name in re.findall(r"(\w*\(?)(clusterset_\w+_(?:total|bucket))\b", expression):
            assert name == known or before in {"rate(", "increase("}, expression
        for function, window in re.findall(r"\b(i?rate)\([^[]*\[([^]]*)\]", expression):
            assert (function, window) == ("rate", "$__rate_interval"), expression


def test_variables_that_are_used_exist_and_those_that_exist_are_used(board):
    known = set(variables(board))
    used = set().union(*map(places, expressions(board)))
    linked = set().union(*(places(link["url"]) for link in links(board)))
    sources = {"datasource"}
    assert used - BUILT_IN <= known
    assert linked - LINK_MACROS - {"__from", "__to"} <= known
    assert known - used - linked - sources - {"runbooks"} == set()


def test_links_lead_to_boards_that_exist_with_variables_that_exist(board):
    for link in links(board):
        if link["url"].startswith("/d/"):
            uid = re.match(r"/d/([\w-]+)", link["url"])[1]
            assert set(re.findall(r"var-(\w+)=", link["url"])) <= set(variables(BOARDS[uid]))


def test_nothing_overlaps_and_numbers_are_used_once(board):
    everything = list(panels(board))
    assert len({panel["id"] for panel in everything}) == len(everything)
    for panel in everything:
        refs = [target["refId"] for target in panel.get("targets", [])]
        assert len(refs) == len(set(refs))
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS
    for one, other in combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart


def test_nobody_edits_by_hand(board):
    assert board["editable"] is False
    assert board["tags"] == ["clusterset"]
    assert board["uid"] in BOARDS


def test_states_are_told_by_words_and_not_by_colour_alone(board):
    for panel in queried(board):
        if panel["type"] == "state-timeline":
            (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert all(each["text"] for each in mapping["options"].values())
            assert panel["fieldConfig"]["defaults"]["color"]["mode"] != "thresholds"
