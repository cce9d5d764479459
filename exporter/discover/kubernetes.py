"""Watches the local cluster's API server, and makes a new inventory when objects change."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial

from exporter.apiserver.client import ApiClient
from exporter.config.label_selector import Selection
from exporter.discover.arrival import Arrival
from exporter.discover.assemble import Discovered, inventory
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.identity import Identity, IdentityError
from exporter.discover.local_identity import LocalIdentity, Locate
from exporter.discover.resources import EVERYWHERE, RESOURCES, ROUTES, Found, Home, Objects, Scope
from exporter.discover.watched_resource import WatchedResource
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse
from exporter.model.watches import Watch, WatchState

COALESCE = 0.02
"""Seconds for which changes are collected. A readiness change must be known within 100 ms."""
REBUILD_INTERVAL = 5.0
"""Seconds after which the inventory is made again without a change, because a gateway that falls
silent changes no object."""
ROUTES_WITHIN = 10.0
"""Seconds for which the first inventory waits for HTTPRoutes and Ingresses, because verdicts do not
need them."""


def _ignore(*_: object) -> None:
    """Do nothing."""


class UnseenSubmarinerError(IdentityError):
    """Submariner is installed, but not where its objects are read."""


class KubernetesInventory:
    """
    Watches the objects of an API server that the inventory is made of.

    Args:
        client: It has been entered.
        setting: The cluster id from the command line, environment or configuration, or "".
        config_map: The exporter's own ConfigMap, in its own namespace. Karmada may have named
            the cluster on it.
        locate: Returns namespace and name of that ConfigMap, if it may be elsewhere.
        selection: The services wanted.
        scope: The namespaces that are read.
        told_hosts: Hosts whose services the configuration tells, where HTTPRoutes and Ingresses
            tell those of others; None where they are not needed.
        unix: Returns the time, unix seconds.
        changed: Awaited with each new inventory.
        became_stale: Called at the first failure of a watch that verdicts depend on, with the
            resource and the time on the loop's clock since when its changes are not seen.
        recovered: Called with the resource once an inventory contains its objects of now; with the
            first inventory for all of them, because a discovery before may have left some stale.
        keeper: Keeps the watch of each resource at work.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        setting: str,
        config_map: str,
        locate: Locate | None = None,
        selection: Selection,
        scope: Scope = EVERYWHERE,
        told_hosts: frozenset[str] | None = None,
        unix: Callable[[], float],
        changed: Callable[[Discovered], Awaitable[None]],
        became_stale: Callable[[str, float], None] = _ignore,
        recovered: Callable[[str], None] = _ignore,
        keeper: Keeper = UNKEPT,
    ) -> None:
        self._client, self._selection = client, selection
        self._local = LocalIdentity(client, setting, config_map, locate)
        self._unix, self._publish = unix, changed
        self._recovered, self._scope, self._told = recovered, scope, told_hosts or frozenset()
        self._due = asyncio.Event()
        self._previous: Discovered | None = None
        self._watched = [
            WatchedResource(
                client,
                wanted,
                namespaces,
                changed=self._due.set,
                became_stale=partial(became_stale, wanted.name) if wanted.decides else _ignore,
                keeper=keeper,
            )
            for wanted in (*RESOURCES, *(() if told_hosts is None else ROUTES))
            if (namespaces := scope.of(wanted))
        ]
        self._routes = [each for each in self._watched if each.wanted in ROUTES]
        self._arrival = Arrival(self._watched)

    @property
    def identity(self) -> Identity | None:
        """Return which cluster this is; None until it is known."""
        return self._local.known

    @property
    def owner(self) -> dict[str, str] | None:
        """Return a reference to our own ConfigMap; None if it is not known."""
        return self._local.owner

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """
        Watch until cancelled. After a failure this can be called again.

        Raises:
            IdentityError: If no source names the local cluster, or Submariner is not where its
                objects are read.
            BetterNameError: If only Karmada named the cluster before, and now Submariner does.
            IdentityChangedError: If the sources name another cluster than before.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for each in self._watched:
                    group.create_task(each.run(), name=f"watch of {each.wanted.name}")
                await self._make_inventories(pulse)
        except Exception:
            for each in self._watched:
                each.interrupted()
            raise

    def watches(self) -> Iterator[Watch]:
        """Yield the state of each watched resource."""
        for each in self._watched:
            yield each.watch(self._client.problem)

    def waits_for(self) -> str:
        """Return a text about resources that are not listed yet; empty if all are listed."""
        needed = (each for each in self._watched if each not in self._routes)
        waiting = [each for each in needed if not each.settled]
        if not waiting:
            return ""
        why = next((each.problem for each in waiting if each.problem), self._client.problem)
        titles = ", ".join(sorted({each.title for each in waiting}))
        return f"waiting for the API server's {titles}" + (f": {why}" if why else "")

    async def _make_inventories(self, pulse: Pulse) -> None:
        pulse.rest()
        for each in self._watched:
            if each not in self._routes:
                await each.settle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUTES_WITHIN):
                for each in self._routes:
                    await each.settle()
        loop = asyncio.get_running_loop()
        while True:
            self._due.clear()
            began = loop.time()
            pulse.beat()
            await self._make()
            # At most half of the time is spent on this, even if objects change quickly.
            await asyncio.sleep(max(COALESCE, loop.time() - began))
            try:
                async with asyncio.timeout(REBUILD_INTERVAL):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _make(self) -> None:
        current = _current(self._watched, self._due.set)
        objects: dict[str, Mapping[str, object]] = {}
        for each in self._watched:
            seen = each.objects()
            if seen is not None and (each not in self._routes or self._sees_routes()):
                objects[each.wanted.name] = seen
        first = self._previous is None
        if first:
            _check_scope(self._scope, objects)
        found, now = Found(objects), asyncio.get_running_loop().time()
        forbidden = [each.problem for each in self._watched if each.state is WatchState.FORBIDDEN]
        identity = await self._local.update(found, forbidden)
        if self._arrival.must_wait(identity, found, now):
            return
        made = await asyncio.to_thread(self._inventory, objects, identity)
        if made != self._previous:
            await self._publish(made)
            self._previous = made
        for each in self._watched:
            if current.get(each.wanted.name) == each.failures:
                each.recovered()
                if each.wanted.decides:
                    self._recovered(each.wanted.name)
        for name in _not_stale(self._watched) if first else ():
            self._recovered(name)

    def _sees_routes(self) -> bool:
        """Return whether all is seen that may route a host; a part of it would mislead."""
        return all(each.settled and each.state is not WatchState.FORBIDDEN for each in self._routes)

    def _inventory(self, objects: Objects, identity: Identity) -> Discovered:
        made = inventory(
            objects,
            identity=identity,
            now=self._unix(),
            previous=self._previous,
            selection=self._selection,
        )
        return made.with_routes(objects, self._told).with_findings(self._broken())

    def _broken(self) -> Iterator[Finding]:
        for each in self._watched:
            for name, why in each.broken():
                yield Finding(FindingKind.BROKEN_OBJECT, f"{each.title} {name}", why)


def _not_stale(watched: Iterable[WatchedResource]) -> Iterator[str]:
    """Yield what is current or not watched any more. A discovery before may have left it stale."""
    not_known = {
        each.wanted.name
        for each in watched
        if each.stale or each.state not in {WatchState.SYNCED, WatchState.NOT_INSTALLED}
    }
    for wanted in RESOURCES:
        if wanted.decides and wanted.name not in not_known:
            yield wanted.name


def _check_scope(scope: Scope, objects: Objects) -> None:
    """Refuse a scope without Submariner's objects: each cluster would count as connected."""
    kinds = [each.name for each in RESOURCES if each.home == Home.SUBMARINER]
    seen = [objects[name] for name in kinds if name in objects]
    if scope.namespaces and seen and not any(seen):
        msg = (
            f"inventory.kubernetes.submariner_namespace: Submariner is installed, but none of its "
            f"objects is in {scope.submariner}; name its namespace, or write null if it is not used"
        )
        raise UnseenSubmarinerError(msg)


def _current(
    watched: Iterable[WatchedResource], look_again: Callable[[], None]
) -> Mapping[str, int]:
    """
    Return the resources that were stale, and of which all objects of now are known.

    Each comes with its number of failures: after one more they are not those of now. *look_again*
    is called once another resource may have caught up.
    """
    current = {}
    for each in watched:
        left = each.left() if each.stale else None
        if left:
            asyncio.get_running_loop().call_later(left, look_again)
        elif left is not None:
            current[each.wanted.name] = each.failures
    return current
