"""One resource in several namespaces, as if it were one watch; and which namespaces those are."""

import asyncio
from types import SimpleNamespace

import pytest

from exporter.discover.resources import EVERYWHERE, RESOURCES, Scope
from exporter.discover.watched_resource import WatchedResource
from exporter.model.watches import WatchState
from tests.fakes.apiaccess import Fixed

BY_NAME = {each.name: each for each in RESOURCES}
TWO = Scope(namespaces=("shop", "web"), submariner="tunnels")


@pytest.mark.parametrize("name", BY_NAME)
def test_without_namespaces_each_list_is_of_the_whole_cluster(name):
    assert EVERYWHERE.of(BY_NAME[name]) == (None,)
    assert Scope(submariner="tunnels").of(BY_NAME[name]) == (None,)


@pytest.mark.parametrize(
    ("scope", "name", "namespaces"),
    [
        (TWO, "nodes", (None,)),
        (TWO, "services", ("shop", "web")),
        (TWO, "serviceexports", ("shop", "web")),
        (TWO, "imported_slices", ("shop", "web")),
        (TWO, "gke_serviceimports", ("shop", "web")),
        (TWO, "serviceimports", ("shop", "web", "tunnels")),
        (TWO, "local_slices", ("shop", "web", "tunnels")),
        *((TWO, each, ("tunnels",)) for each in ("gateways", "clusters", "submariners")),
        (Scope(namespaces=("a",)), "gateways", ()),
        (Scope(namespaces=("a",)), "local_slices", ("a",)),
        (Scope(namespaces=("a", "b"), submariner="a"), "local_slices", ("a", "b")),
    ],
)
def test_what_is_read_where(scope, name, namespaces):
    assert scope.of(BY_NAME[name]) == namespaces


@pytest.fixture
async def watched():
    """Services of two namespaces, whose watches a test sets by hand."""
    stale = []
    client = SimpleNamespace(recovery=None, source=Fixed("https://127.0.0.1:1"))
    made = WatchedResource(
        client, BY_NAME["services"], ("a", "b"), changed=lambda: None, became_stale=stale.append
    )
    made.stale_since = stale
    for number, each in enumerate(made._reflectors):
        each.state = WatchState.SYNCED
        each.store.objects = {f"{each.resource.namespace}/x": number}
        each.requests = each.failures = 1 + number
        each.store.events["ADDED"] = 1
        each.freshness.listed()
    return made


async def test_objects_and_counts_are_those_of_all_namespaces(watched):
    assert watched.objects() == {"a/x": 0, "b/x": 1}
    watch = watched.watch("no credentials")
    assert (watch.resource, watch.state, watch.problem) == ("services", "synced", "no credentials")
    assert (watch.requests, watch.failures, watch.events) == (3, 3, {"ADDED": 2})


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ("synced synced", "synced"),
        ("synced listing", "listing"),
        ("forbidden synced", "forbidden"),
        ("forbidden failing", "failing"),
        ("not_installed not_installed", "not_installed"),
        ("not_installed synced", "synced"),
    ],
)
async def test_the_state_is_the_worst_one(watched, states, state):
    for each, name in zip(watched._reflectors, states.split(), strict=True):
        each.state, each.problem = WatchState(name), name
    assert (watched.state, watched.problem) == (WatchState(state), state)


async def test_it_is_settled_once_each_list_is_done(watched):
    first, second = watched._reflectors
    first.settled.set()
    assert not watched.settled
    second.settled.set()
    assert watched.settled
    await asyncio.wait_for(watched.settle(), 1)


async def test_one_namespace_that_may_not_be_read_hides_nothing_of_the_others(watched):
    first, second = watched._reflectors
    first.state = WatchState.FORBIDDEN
    assert watched.objects() == {"a/x": 0, "b/x": 1}
    first.store.objects = second.store.objects = {}
    assert watched.objects() is None, "nobody knows whether there are any"
    first.state = second.state = WatchState.NOT_INSTALLED
    assert watched.objects() is None


async def test_it_is_current_only_once_each_namespace_is(watched):
    first, second = watched._reflectors
    assert not watched.stale
    first.freshness.failed()
    second.freshness.failed()
    assert len(watched.stale_since) == 2
    first.freshness.listed()
    assert watched.stale
    assert watched.left() is None
    second.freshness.listed()
    assert watched.left() == 0.0
    watched.recovered()
    assert not watched.stale
