import pytest

from exporter.judge.locality import MAX_PAST, Graces, Standings, first_export_state, locality
from exporter.model.clusterset import EXTERNAL, UNKNOWN, VTEP
from exporter.model.verdicts import Locality

GRACES = Graces(leak=30.0, export=600.0)
UP, DOWN, GONE = (True, True), (True, False), (False, False)


def told(story):
    """Return the standings after a *story* of (moment, (exported, ready))."""
    standings = None
    for at, (exported, ready) in story:
        if standings is None:
            standings = Standings(first_export_state(exported=exported, ready=ready, now=at))
        standings.move(exported=exported, ready=ready, now=at, graces=GRACES)
    return standings


def judged(story, start, end=None, *, pinned=False):
    """Judge a hit from b on a."""
    return locality(
        "b",
        "a",
        told(story),
        start=start,
        end=start if end is None else end,
        pinned=pinned,
        graces=GRACES,
    )


@pytest.mark.parametrize(
    ("story", "now", "verdict"),
    [
        pytest.param([], 0, Locality.REMOTE, id="never exported"),
        pytest.param([(0, GONE)], 1, Locality.REMOTE, id="not exported when first seen"),
        pytest.param([(0, UP)], 30, Locality.UNKNOWN, id="ready, but not known for how long"),
        pytest.param([(0, UP)], 30.1, Locality.LEAK, id="ready for longer than the grace"),
        pytest.param([(0, DOWN)], 1e6, Locality.FAILOVER, id="not ready"),
        pytest.param([(0, DOWN), (100, UP)], 130, Locality.FAILOVER, id="ready just now"),
        pytest.param([(0, DOWN), (100, UP)], 130.1, Locality.LEAK, id="ready long enough"),
        pytest.param([(0, UP), (100, DOWN)], 100, Locality.FAILOVER, id="not ready any more"),
        pytest.param(
            [(0, UP), (100, DOWN), (101, UP)], 131, Locality.FAILOVER, id="a blink of readiness"
        ),
        pytest.param(
            [(0, UP), (5, GONE)], 604, Locality.FAILOVER, id="evicted: the export went first"
        ),
        pytest.param([(0, UP), (5, GONE)], 605, Locality.REMOTE, id="evicted long ago"),
        pytest.param([(0, UP), (5, GONE), (6, UP)], 36, Locality.FAILOVER, id="evicted and back"),
        pytest.param(
            [(0, GONE), (9, UP)], 39, Locality.REMOTE, id="exported just now: caches may not know"
        ),
        pytest.param([(0, GONE), (9, UP)], 39.1, Locality.LEAK, id="exported long enough"),
    ],
)
def test_crossing_hits(story, now, verdict):
    assert judged(story, now) is verdict


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("a", Locality.LOCAL),
        (EXTERNAL, Locality.EXTERNAL),
        (UNKNOWN, Locality.UNKNOWN),
        (VTEP, Locality.UNKNOWN),
    ],
)
def test_sources_that_need_no_standing(source, verdict):
    assert locality(source, "a", None, start=0, end=0, graces=GRACES) is verdict


STORY = [(0, UP), (100, DOWN), (200, UP), (300, GONE), (1000, UP)]


@pytest.mark.parametrize(
    ("start", "end", "verdict"),
    [
        pytest.param(-1, -1, Locality.UNKNOWN, id="before anything is known"),
        pytest.param(-1, 50, Locality.UNKNOWN, id="perhaps before"),
        pytest.param(50, 60, Locality.LEAK, id="long ago, while it was ready"),
        pytest.param(99, 100, Locality.FAILOVER, id="perhaps when it failed"),
        pytest.param(99, 99.9, Locality.LEAK, id="surely before it failed"),
        pytest.param(150, 151, Locality.FAILOVER, id="while it was down"),
        pytest.param(225, 235, Locality.FAILOVER, id="perhaps within the grace"),
        pytest.param(231, 235, Locality.LEAK, id="surely after the grace"),
        pytest.param(50, 250, Locality.FAILOVER, id="over several changes"),
        pytest.param(299, 301, Locality.FAILOVER, id="perhaps when it was evicted"),
        pytest.param(950, 951, Locality.REMOTE, id="long after it was evicted"),
    ],
)
def test_hits_of_the_past_are_judged_as_of_then(start, end, verdict):
    assert judged(STORY, start, end) is verdict


def test_only_leaks_can_be_pinned():
    assert judged(STORY, 50, pinned=True) is Locality.PINNED
    assert judged(STORY, 150, pinned=True) is Locality.FAILOVER


def test_the_past_is_bounded():
    story = [(n, DOWN if n % 2 else UP) for n in range(1000)]
    assert judged(story, 999.5) is Locality.FAILOVER
    assert judged(story, 1000 - MAX_PAST - 1) is Locality.UNKNOWN


@pytest.mark.parametrize(
    ("start", "end", "steady"),
    [(50, 60, True), (99, 100, False), (100, 110, True), (50, 250, False), (2001, 9999, True)],
)
def test_whether_anything_changed(start, end, steady):
    assert told(STORY).is_steady(start, end, GRACES) is steady


def test_the_end_of_a_grace_is_a_change():
    """A block of lines over that moment has hits of both kinds."""
    story = told([(0, UP), (100, DOWN), (200, UP)])
    assert not story.is_steady(229.0, 231.0, GRACES)
    assert story.is_steady(231.0, 260.0, GRACES)
