"""Damaged objects and plain garbage: broken or used, and never anything else."""

import contextlib
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.accesslog.parse_pod import parse_pod
from exporter.discover.assemble import inventory
from exporter.discover.resources import RESOURCES
from tests.fakes.depth import examples
from tests.fakes.objects import HERE, NOW, Objects

PARSE = {wanted.name: wanted.parse for wanted in RESOURCES}
BROKEN = (ValueError, TypeError, KeyError)
SCENES = [Objects(file).all for file in ("scene", "percluster", "cilium", "gke")]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["10.1.0.7", "10.1.0.0/16", "fd00::1", "cluster1", "nginx", "True", "active"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(value, at=()):
    """Yield the way to each value within an object."""
    yield at
    for key in value if isinstance(value, dict) else ():
        yield from paths(value[key], (*at, key))
    for n in range(len(value) if isinstance(value, list) else 0):
        yield from paths(value[n], (*at, n))


@st.composite
def damaged(draw):
    """Return the objects of a scene, some with a part replaced by anything or lost."""
    found = deepcopy(draw(st.sampled_from(SCENES)))
    for _ in range(draw(st.integers(1, 6))):
        each = draw(st.sampled_from(found))
        *way, last = draw(st.sampled_from([path for path in paths(each) if path] or [("kind",)]))
        parent = each
        for key in way:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(JSON)
        elif isinstance(parent, dict):
            parent.pop(last, None)
    return found


def kept(found):
    """Return what is kept of objects, each offered to every resource."""
    store = {name: {} for name in PARSE}
    for name, trim in PARSE.items():
        for n, each in enumerate(found):
            try:
                trimmed = trim(each)
            except BROKEN:
                continue
            if trimmed is not None:
                store[name][str(n)] = trimmed
    return store


@settings(max_examples=examples(150))
@given(damaged(), st.floats(allow_nan=False))
def test_damaged_objects_are_broken_or_used_and_nothing_else(found, now):
    seen = inventory(kept(found), identity=HERE, now=now)
    later = inventory(kept(found[1:]), identity=HERE, now=now, previous=seen)
    fresh = inventory(kept(found[1:]), identity=HERE, now=now)
    assert later.inventory.services == fresh.inventory.services


@settings(max_examples=examples(300))
@given(JSON)
def test_garbage_is_broken_or_used_and_nothing_else(found):
    inventory(kept([found]), identity=HERE, now=NOW)
    if isinstance(found, dict):
        for name in ("metadata", "spec", "status"):
            inventory(kept([{name: found}]), identity=HERE, now=NOW)
    with contextlib.suppress(BROKEN):
        parse_pod(found)
