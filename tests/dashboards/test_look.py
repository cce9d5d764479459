"""Every closed value has a colour and a number, and a colour means one thing on a board."""

import re
from itertools import combinations, product

import pytest

from dashboards import look
from dashboards.look import CLUSTERS, LOCALITIES, MODES
from dashboards.queries import MODE_CODES
from exporter.model.verdicts import Locality, Mode
from tests.fakes.boards import BOARDS, panels
from tests.fakes.colour_vision import VIEWS, contrast, distance

VERDICTS = {*MODES.values(), *LOCALITIES.values()}
THEMES = {"light": "#FFFFFF", "dark": "#181B1F"}
WELL = {"local", "ready", "✓ ready", "up", "✓ up", "in use", "yes", "local p50", "local p99"}
WRONG = {"leak", "blackout", "not ready", "✕ not ready", "down", "✕ down", "broken", "Alerts"}
MEANINGS = {
    look.GREEN: {*WELL, "step of good"},
    look.ORANGE: {"failover", "Moves", "step of warning"},
    look.VERMILLION: {*WRONG, "step of bad"},
    look.SKY: {"remote"},
    look.PURPLE: {"mixed"},
    look.YELLOW: {"degraded"},
    look.GREY: {"unknown"},
    look.BLUE: {"external"},
    look.WINE: {"pinned"},
    look.INDIGO: {"spread"},
    look.KINDS["fixedColor"]: {"kinds"},
    **{colour: {f"cluster {place}"} for place, colour in enumerate(CLUSTERS)},
}
STEPS = {look.GREEN: "step of good", look.ORANGE: "step of warning", look.VERMILLION: "step of bad"}


def test_every_mode_and_every_locality_has_a_colour_of_its_own():
    assert set(MODES) == set(MODE_CODES) == set(Mode)
    assert set(LOCALITIES) == set(Locality)
    assert len(set(LOCALITIES.values())) == len(Locality)
    assert len(set(MODES.values())) == len(Mode)


def _of_panel(panel):
    defaults = panel["fieldConfig"]["defaults"]
    for each in panel["fieldConfig"]["overrides"]:
        what = each["matcher"]["options"]
        for given in each["properties"]:
            if given["id"] == "color":
                place = re.fullmatch(r"/\^#(\d) /", what)
                yield given["value"].get("fixedColor"), f"cluster {place[1]}" if place else what
            if given["id"] == "mappings":
                yield from _of_words(given["value"])
            if given["id"] == "thresholds":
                yield from _of_steps(given["value"])
    yield from _of_words(defaults["mappings"])
    mode = defaults["color"]["mode"]
    if mode == "thresholds":
        yield from _of_steps(defaults["thresholds"])
    elif mode in {"fixed", "shades"}:
        yield defaults["color"]["fixedColor"], "kinds" if mode == "shades" else "plain"
    else:
        # Shades of blue in a matrix are an amount, and stand behind a number.
        assert (panel["type"], mode) == ("table", "continuous-blues")


def _of_steps(thresholds):
    for step in thresholds["steps"]:
        yield step["color"], STEPS.get(step["color"], "step")


def _of_words(mappings):
    for each in mappings:
        for value in each["options"].values():
            yield value["color"], value["text"]


@pytest.mark.parametrize("uid", BOARDS)
def test_a_colour_means_one_thing_on_a_board(uid):
    found = {}
    marks = [(each["iconColor"], each["name"]) for each in BOARDS[uid]["annotations"]["list"]]
    shown = [each for each in panels(BOARDS[uid]) if each["type"] != "row"]
    for colour, meaning in [*marks, *(pair for panel in shown for pair in _of_panel(panel))]:
        found.setdefault(colour, set()).add(meaning)
    found.pop("text")
    found.pop(None, None)
    for colour, meanings in found.items():
        assert meanings <= MEANINGS[colour], colour


@pytest.mark.parametrize("uid", BOARDS)
def test_lines_named_after_clusters_have_the_colours_of_clusters(uid):
    for panel in panels(BOARDS[uid]):
        if panel["type"] != "timeseries":
            continue
        named = [each for each in panel["targets"] if "#" in each["expr"]]
        legends = {each["legendFormat"] for each in panel["targets"]}
        of_names = [it for it in legends if re.search("_cluster}}|{{instance}}", it)]
        assert all(each.startswith("{{mark}}") for each in of_names), panel["title"]
        assert bool(named) == bool(of_names)
        marked = [
            each["matcher"]["options"]
            for each in panel["fieldConfig"]["overrides"]
            if each["matcher"]["options"].startswith("/^#")
        ]
        wanted = [f"/^#{place} /" for place in range(len(CLUSTERS))] if named else []
        assert marked == wanted, panel["title"]


@pytest.mark.parametrize("view", VIEWS)
def test_people_tell_clusters_apart(view):
    assert min(distance(*pair, view) for pair in combinations(CLUSTERS, 2)) > 11


@pytest.mark.parametrize(("view", "least"), [("usual", 10), ("protanopia", 4), ("deuteranopia", 4)])
def test_no_cluster_has_a_colour_of_a_verdict(view, least):
    both = {*VERDICTS, look.KINDS["fixedColor"]}
    assert min(distance(*pair, view) for pair in product(CLUSTERS, both)) > least


@pytest.mark.parametrize("colours", [MODES, LOCALITIES], ids=["modes", "localities"])
@pytest.mark.parametrize("view", VIEWS)
def test_people_tell_verdicts_apart(colours, view):
    assert min(distance(*pair, view) for pair in combinations(colours.values(), 2)) > 7


@pytest.mark.parametrize("background", THEMES.values(), ids=THEMES)
def test_lines_of_clusters_are_seen_in_both_themes(background):
    assert min(contrast(colour, background) for colour in CLUSTERS) >= 2
