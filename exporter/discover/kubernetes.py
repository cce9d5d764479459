"""Watches the local cluster's API server, and makes a new inventory when objects change."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial

from exporter.apiserver.annotations import annotations_of
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.lease_note import owner_of
from exporter.config.label_selector import Selection
from exporter.discover.api_types import Gateway, ServiceExport, Submariner
from exporter.discover.assemble import Discovered, inventory
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.identity import Identity, IdentityError, IdentitySource, identify
from exporter.discover.resources import EVERYWHERE, RESOURCES, Found, Home, Objects, Scope
from exporter.discover.watched_resource import WatchedResource
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse
from exporter.model.watches import Watch, WatchState

COALESCE = 0.02
"""Seconds for which changes are collected. A readiness change must be known within 100 ms."""
REBUILD_INTERVAL = 5.0
"""Seconds after which the inventory is made again without a change, because a gateway that falls
silent changes no object."""
_STRENGTH = {source: n for n, source in enumerate(reversed(IdentitySource))}


def _ignore(*_: object) -> None:
    """Do nothing."""


class IdentityChangedError(Exception):
    """The cluster is another one than it was taken for: all series would be of the wrong one."""


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
        selection: The services wanted.
        scope: The namespaces that are read.
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
        selection: Selection,
        scope: Scope = EVERYWHERE,
        unix: Callable[[], float],
        changed: Callable[[Discovered], Awaitable[None]],
        became_stale: Callable[[str, float], None] = _ignore,
        recovered: Callable[[str], None] = _ignore,
        keeper: Keeper = UNKEPT,
    ) -> None:
        self._client, self._setting, self._selection = client, setting, selection
        self._config_map = config_map
        self._unix, self._publish = unix, changed
        self._recovered, self._scope = recovered, scope
        self._due = asyncio.Event()
        self._own: Mapping[str, str] | None = None
        self.owner: dict[str, str] | None = None
        """A reference to our own ConfigMap; None if it is not known."""
        self._identity: Identity | None = None
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
            for wanted in RESOURCES
            if (namespaces := scope.of(wanted))
        ]

    @property
    def identity(self) -> Identity | None:
        """Return which cluster this is; None until it is known."""
        return self._identity

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """
        Watch until cancelled. After a failure this can be called again.

        Raises:
            IdentityError: If no source names the local cluster, or Submariner is not where its
                objects are read.
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
        waiting = [each for each in self._watched if not each.settled]
        if not waiting:
            return ""
        why = next((each.problem for each in waiting if each.problem), self._client.problem)
        titles = ", ".join(sorted({each.title for each in waiting}))
        return f"waiting for the API server's {titles}" + (f": {why}" if why else "")

    async def _make_inventories(self, pulse: Pulse) -> None:
        pulse.rest()
        for each in self._watched:
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
            if seen is not None:
                objects[each.wanted.name] = seen
        first = self._previous is None
        if first:
            _check_scope(self._scope, objects)
        identity = await self._identify(Found(objects))
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

    def _inventory(self, objects: Objects, identity: Identity) -> Discovered:
        made = inventory(
            objects,
            identity=identity,
            now=self._unix(),
            previous=self._previous,
            selection=self._selection,
        )
        return made.with_findings(self._broken())

    def _broken(self) -> Iterator[Finding]:
        for each in self._watched:
            for name, why in each.broken():
                yield Finding(FindingKind.BROKEN_OBJECT, f"{each.title} {name}", why)

    async def _identify(self, found: Found) -> Identity:
        if self._identity is None:
            self._own = await self._own_annotations()
        made = self._identified(found)
        before = self._identity
        if before is not None and made.cluster != before.cluster:
            if _STRENGTH[made.source] < _STRENGTH[before.source]:
                # The stronger source is missing for a while, for example a gateway that moves.
                return before
            msg = (
                f"this cluster was taken for {before.cluster} by {before.source}; now "
                f"{made.source} says {made.cluster}"
            )
            raise IdentityChangedError(msg)
        self._identity = made
        return made

    def _identified(self, found: Found) -> Identity:
        try:
            return identify(
                self._setting,
                gateways=found.of(Gateway, "gateways"),
                submariners=found.of(Submariner, "submariners"),
                exports=found.of(ServiceExport, "serviceexports", "gke_serviceexports"),
                own_annotations=self._own,
            )
        except IdentityError as error:
            if self._identity is not None:
                return self._identity
            hidden = [each.problem for each in self._watched if each.state is WatchState.FORBIDDEN]
            raise IdentityError("; ".join([str(error), *hidden])) from error

    async def _own_annotations(self) -> Mapping[str, str]:
        """Return the annotations of our own ConfigMap; none if we cannot see it."""
        path = f"/api/v1/namespaces/{self._client.namespace}/configmaps/{self._config_map}"
        try:
            found = await self._client.read(path)
        except ApiError as error:
            if error.kind in {ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN}:
                return {}
            return self._own or {}
        self.owner = owner_of(found)
        notes = annotations_of(found)
        return {key: value for key, value in notes.items() if isinstance(value, str)}


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
