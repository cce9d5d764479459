import pytest

from exporter.judge.locality import Graces, first_standing, locality, move
from exporter.model import EXTERNAL, UNKNOWN, VTEP, Locality

GRACES = Graces(leak=30.0, export=600.0)
UP, DOWN, GONE = (True, True), (True, False), (False, False)


def judged(story, now):
    """Judge a hit from b on a at *now*, after a *story* of (moment, (exported, ready))."""
    standing = None
    for at, (exported, ready) in story:
        standing = (
            first_standing(exported=exported, ready=ready, now=at)
            if standing is None
            else move(standing, exported=exported, ready=ready, now=at, graces=GRACES)
        )
    return locality("b", "a", standing, now=now, graces=GRACES)


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
    assert locality(source, "a", None, now=0, graces=GRACES) is verdict
