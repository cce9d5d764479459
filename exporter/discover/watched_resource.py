"""One resource, watched in the whole cluster or in some namespaces, as if it were one watch."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from exporter.apiserver.client import ApiClient
from exporter.apiserver.reflector import Reflector
from exporter.apiserver.resource import Resource
from exporter.discover.api_types import Kept
from exporter.discover.resources import Wanted
from exporter.model.stages import UNKEPT, Keeper, StageName
from exporter.model.watches import Watch, WatchState

_WORST_FIRST = (
    WatchState.FAILING,
    WatchState.FORBIDDEN,
    WatchState.LISTING,
    WatchState.SYNCED,
    WatchState.NOT_INSTALLED,
)


class WatchedResource:
    """
    The objects of one resource, and the state of its watches.

    Args:
        client: It has been entered.
        wanted: The resource.
        namespaces: Where to list and watch it; None stands for all namespaces at once.
        changed: Called after objects or a state have changed.
        became_stale: Called at the first failure of a watch, with the time on the loop's clock
            since when changes are not seen.
        keeper: Keeps each watch at work.
    """

    def __init__(
        self,
        client: ApiClient,
        wanted: Wanted,
        namespaces: tuple[str | None, ...],
        *,
        changed: Callable[[], None],
        became_stale: Callable[[float], None],
        keeper: Keeper = UNKEPT,
    ) -> None:
        self.wanted, self._keeper = wanted, keeper
        self.title = _resource(wanted, None).title
        self._reflectors = [
            Reflector[Kept](
                client,
                _resource(wanted, namespace),
                trim=wanted.parse,
                changed=changed,
                became_stale=became_stale,
            )
            for namespace in namespaces
        ]

    async def run(self) -> None:
        """List and watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._reflectors:
                where = each.resource.namespace or "the cluster"
                about = f"{self.wanted.name} in {where}"
                watch = self._keeper.keep(StageName.WATCH, about, each.run)
                group.create_task(watch, name=f"watch of {about}")

    @property
    def settled(self) -> bool:
        """Return whether each first list is done, or known to be impossible."""
        return all(each.settled.is_set() for each in self._reflectors)

    async def settle(self) -> None:
        """Wait until that is so."""
        for each in self._reflectors:
            await each.settled.wait()

    @property
    def state(self) -> WatchState:
        """Return the worst state of all watches."""
        return self._worst.state

    @property
    def problem(self) -> str:
        """Return what is wrong, in one line; empty if nothing is."""
        return self._worst.problem

    @property
    def failures(self) -> int:
        """Return how often a request failed."""
        return sum(each.failures for each in self._reflectors)

    @property
    def _worst(self) -> Reflector[Kept]:
        return min(self._reflectors, key=lambda each: _WORST_FIRST.index(each.state))

    def objects(self) -> Mapping[str, Kept] | None:
        """Return the objects of all watches; None if there is no such resource, as far as seen."""
        found = {key: kept for each in self._reflectors for key, kept in each.objects.items()}
        hidden = self.state is WatchState.FORBIDDEN and not found
        return None if hidden or self.state is WatchState.NOT_INSTALLED else found

    @property
    def stale(self) -> bool:
        """Return whether changes may have gone unseen until now."""
        return bool(self._stale())

    def left(self) -> float | None:
        """Return the seconds until all objects are those of now; None if that is not known."""
        waits = [each.freshness.left for each in self._stale()]
        return None if None in waits else max(wait for wait in waits if wait is not None)

    def recovered(self) -> None:
        """Take in that the objects of now are in use."""
        for each in self._reflectors:
            each.freshness.recovered()

    def interrupted(self) -> None:
        """Take in that no change is seen until this runs again."""
        for each in self._reflectors:
            each.freshness.failed()

    def _stale(self) -> list[Reflector[Kept]]:
        return [each for each in self._reflectors if each.freshness.stale_since is not None]

    @property
    def looking(self) -> bool:
        """Return whether a look that `look_again` caused has not ended."""
        return any(each.looking for each in self._reflectors)

    def look_again(self) -> None:
        """List at once if the resource was not installed."""
        for each in self._reflectors:
            if each.state is WatchState.NOT_INSTALLED:
                each.looking = True
                each.waits.look_again()

    def broken(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each broken object, and what is wrong with it."""
        for each in self._reflectors:
            yield from list(each.store.broken.items())

    def watch(self, problem: str) -> Watch:
        """Return the state of all watches in one; *problem* is told if they have none."""
        every = self._reflectors
        events = sum((each.store.events for each in every), Counter[str]())
        return Watch(
            resource=self.wanted.name,
            state=self.state,
            age=max(each.age for each in every),
            requests=sum(each.requests for each in every),
            relists=sum(each.relists for each in every),
            failures=self.failures,
            events=dict(events),
            bad_lines=sum(each.bad_lines for each in every),
            bad_objects=sum(each.store.bad_objects for each in every),
            broken=sum(len(each.store.broken) for each in every),
            problem=self.problem or problem,
        )


def _resource(wanted: Wanted, namespace: str | None) -> Resource:
    return Resource(
        group=wanted.group,
        version=wanted.versions[0],
        older=wanted.versions[1:],
        plural=wanted.plural,
        namespace=namespace,
        label_selector=wanted.label_selector,
    )
