"""Watches the local cluster's API server, and makes a new inventory when objects change."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

from exporter.apiserver.annotations import annotations_of
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.reflector import Reflector
from exporter.apiserver.resource import Resource
from exporter.config.label_selector import Selection
from exporter.discover.api_types import Gateway, Kept, ServiceExport, Submariner
from exporter.discover.assemble import Discovered, inventory
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.identity import Identity, IdentityError, IdentitySource, identify
from exporter.discover.resources import RESOURCES, Found, Objects, Wanted
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


class KubernetesInventory:
    """
    Watches the objects of an API server that the inventory is made of.

    Args:
        client: It has been entered.
        setting: The cluster id from the command line, environment or configuration, or "".
        config_map: The exporter's own ConfigMap, in its own namespace. Karmada may have named
            the cluster on it.
        selection: The services wanted.
        unix: Returns the time, unix seconds.
        changed: Awaited with each new inventory.
        became_stale: Called at the first failure of a watch that verdicts depend on, with the
            resource and the time on the loop's clock since when its changes are not seen.
        recovered: Called with the resource once an inventory contains its objects of now.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        setting: str,
        config_map: str,
        selection: Selection,
        unix: Callable[[], float],
        changed: Callable[[Discovered], Awaitable[None]],
        became_stale: Callable[[str, float], None] = _ignore,
        recovered: Callable[[str], None] = _ignore,
    ) -> None:
        self._client, self._setting, self._selection = client, setting, selection
        self._config_map = config_map
        self._unix, self._publish = unix, changed
        self._recovered = recovered
        self._due = asyncio.Event()
        self._own: Mapping[str, str] | None = None
        self._identity: Identity | None = None
        self._previous: Discovered | None = None
        self._reflectors = {
            wanted.name: Reflector[Kept](
                client,
                _resource(wanted),
                trim=wanted.parse,
                changed=self._due.set,
                became_stale=partial(became_stale, wanted.name) if wanted.decides else _ignore,
            )
            for wanted in RESOURCES
        }

    @property
    def identity(self) -> Identity | None:
        """Return which cluster this is; None until it is known."""
        return self._identity

    async def run(self) -> None:
        """
        Watch until cancelled.

        Raises:
            IdentityError: If no source names the local cluster.
            IdentityChangedError: If the sources name another cluster than before.
        """
        async with asyncio.TaskGroup() as group:
            for name, reflector in self._reflectors.items():
                group.create_task(reflector.run(), name=f"watch of {name}")
            await self._make_inventories()

    def watches(self) -> Iterator[Watch]:
        """Yield the state of each watched resource."""
        for name, reflector in self._reflectors.items():
            yield Watch(
                resource=name,
                state=reflector.state,
                age=reflector.age,
                requests=reflector.requests,
                relists=reflector.relists,
                failures=reflector.failures,
                events=dict(reflector.store.events),
                bad_lines=reflector.bad_lines,
                bad_objects=reflector.store.bad_objects,
                broken=len(reflector.store.broken),
                problem=reflector.problem or self._client.problem,
            )

    def waits_for(self) -> str:
        """Return a text about resources that are not listed yet; empty if all are listed."""
        waiting = [each for each in self._reflectors.values() if not each.settled.is_set()]
        if not waiting:
            return ""
        why = next((each.problem for each in waiting if each.problem), self._client.problem)
        titles = ", ".join(sorted({each.resource.title for each in waiting}))
        return f"waiting for the API server's {titles}" + (f": {why}" if why else "")

    async def _make_inventories(self) -> None:
        for reflector in self._reflectors.values():
            await reflector.settled.wait()
        loop = asyncio.get_running_loop()
        while True:
            self._due.clear()
            began = loop.time()
            await self._make()
            # At most half of the time is spent on this, even if objects change quickly.
            await asyncio.sleep(max(COALESCE, loop.time() - began))
            try:
                async with asyncio.timeout(REBUILD_INTERVAL):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _make(self) -> None:
        current = _current(self._reflectors, self._due.set)
        objects = {
            name: dict(reflector.objects)
            for name, reflector in self._reflectors.items()
            if reflector.state is not WatchState.NOT_INSTALLED
            and (reflector.objects or reflector.state is not WatchState.FORBIDDEN)
        }
        identity = await self._identify(Found(objects))
        made = await asyncio.to_thread(self._inventory, objects, identity)
        if made != self._previous:
            self._previous = made
            await self._publish(made)
        for wanted in RESOURCES:
            reflector = self._reflectors[wanted.name]
            if current.get(wanted.name) == reflector.failures:
                reflector.freshness.recovered()
                if wanted.decides:
                    self._recovered(wanted.name)

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
        for reflector in self._reflectors.values():
            for name, why in list(reflector.store.broken.items()):
                yield Finding(FindingKind.BROKEN_OBJECT, f"{reflector.resource.title} {name}", why)

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
            hidden = [
                each.problem
                for each in self._reflectors.values()
                if each.state is WatchState.FORBIDDEN
            ]
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
        notes = annotations_of(found)
        return {key: value for key, value in notes.items() if isinstance(value, str)}


def _current(
    reflectors: Mapping[str, Reflector[Kept]], look_again: Callable[[], None]
) -> Mapping[str, int]:
    """
    Return the resources that were stale, and of which all objects of now are known.

    Each comes with its number of failures: after one more they are not those of now. *look_again*
    is called once another resource may have caught up.
    """
    current = {}
    for name, reflector in reflectors.items():
        left = reflector.freshness.left
        if reflector.freshness.stale_since is None or left is None:
            continue
        if left:
            asyncio.get_running_loop().call_later(left, look_again)
        else:
            current[name] = reflector.failures
    return current


def _resource(wanted: Wanted) -> Resource:
    return Resource(
        group=wanted.group,
        version=wanted.versions[0],
        older=wanted.versions[1:],
        plural=wanted.plural,
        label_selector=wanted.label_selector,
    )
