"""The local cluster's API server as stages of an exporter: discovery, leadership and pod logs."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol

import structlog

from exporter.accesslog.readers.nodes import NodeReader
from exporter.accesslog.readers.pod_readers import PodReaders
from exporter.accesslog.readers.pods import PodReader
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.workloads import Workloads
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource
from exporter.apiserver.client import ApiClient
from exporter.apiserver.lease import Election
from exporter.commands.load import scope_of
from exporter.commands.run.discovery_wanted import DiscoveryWanted
from exporter.commands.run.renewals import LoggedSilence
from exporter.commands.run.stages import WantedStage
from exporter.config.label_selector import Selection
from exporter.discover.assemble import Discovered
from exporter.discover.findings import Finding
from exporter.discover.identity import IdentityChangedError, IdentityError
from exporter.discover.kubernetes import KubernetesInventory
from exporter.model.clusterset import Inventory
from exporter.model.stages import Keeper, Pulse, StageName
from exporter.model.watches import Watch

LEASES = "leases"
"""What is stale while our Lease cannot be renewed: nobody knows what the watches miss."""
log = structlog.get_logger()


class Learns(Protocol):
    """What discovery reports to, beside the inventory."""

    def identified(self, local: str, source: str) -> None:
        """Take *local* for the cluster that this exporter runs in, because *source* says so."""

    def found(self, findings: Iterable[Finding]) -> None:
        """Replace the findings."""

    def stand_by(self, inventory: Inventory) -> None:
        """Take in what another replica counts."""


class Stale(Protocol):
    """What learns which changes are not seen."""

    def became_stale(self, resource: str, since: float) -> None:
        """Take in that changes of *resource* are not seen since then, on the monotonic clock."""

    def recovered(self, resource: str) -> None:
        """Take in that what *resource* is now is in use."""


class Successor(Protocol):
    """What a leader leaves for the next one, and takes over from the one before."""

    def observe(self, inventory: Inventory) -> None:
        """Follow what changes while another replica works."""

    def for_lease(self) -> str:
        """Return what is left on the Lease."""

    def offer(self, text: str, alive: float | None, free_since: float | None) -> None:
        """Take in what a predecessor left that worked until *alive*, in unix seconds."""

    def unread_since(self, free_since: float | None) -> float | None:
        """Return since when logs of pods were not read, or for nothing; None if they were."""

    def begin(self, local: str) -> None:
        """Go on where the predecessor stopped, if it was of the cluster *local* too."""

    def look_closer(self) -> None:
        """Accelerate what was under way and what is not known."""


class LocalCluster:
    """
    What an exporter does with the API server of its own cluster.

    Args:
        client: An open client of that API server.
        replica: Our own name in the election.
        learns: Takes what discovery learns, beside the inventory.
        staleness: Takes which changes are not seen.
        handover: Links this replica to the leaders before and after it.
        sink: Takes what readers of pod logs report.
        reader: Reads and counts lines.
        keeper: Keeps stages at work.
        changed: Called with each new inventory, once this replica is the active one.
        arrange: Called when other stages are wanted than before.
        end: Called with the reason when this process cannot continue.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        replica: str,
        learns: Learns,
        staleness: Stale,
        handover: Successor,
        sink: Sink,
        reader: Reader,
        keeper: Keeper,
        changed: Callable[[Inventory], None],
        arrange: Callable[[], None],
        end: Callable[[Exception], None],
    ) -> None:
        self._client, self._replica, self._learns, self._keeper = client, replica, learns, keeper
        self._changed, self._arrange, self._end = changed, arrange, end
        self._staleness, self._handover = staleness, handover
        self._begun = self._active = False
        self._newest: Discovered | None = None
        self._identified = ""
        self._election: Election | None = None
        self._silence = LoggedSilence(
            lambda since: staleness.became_stale(LEASES, since), lambda: staleness.recovered(LEASES)
        )
        self._discovery: KubernetesInventory | None = None
        self._discovers: DiscoveryWanted | None = None
        """What *_discovery* was made for."""
        self._workloads = known = Workloads(client, sink, time.time)
        make = partial(PodReader, client, sink=sink, reader=reader, unix=time.time, keeper=keeper)
        taken_over = lambda: _free_since(self._election)  # noqa: E731 - as short
        unread_since = lambda: handover.unread_since(_free_since(self._election))  # noqa: E731 - as short
        ends = lambda: _leads_until(self._election)  # noqa: E731 - as short
        make = partial(make, taken_over=taken_over, unread_since=unread_since, ends=ends)
        self._pods = PodReaders(client, known, sink, time.time, make)
        self._nodes = NodeReader(client, known, sink, reader, keeper)

    @property
    def works(self) -> bool:
        """Return whether this replica is the one that probes and reads logs, and can begin."""
        leads = self._election is None or self._election.leading
        return self._newest is not None and leads

    @property
    def worked(self) -> bool:
        """Return whether this replica has been the active one of several."""
        return self._active and self._election is not None

    def watches(self) -> Iterable[Watch]:
        """Return the state of the watched resources of the API server."""
        return () if self._discovery is None else self._discovery.watches()

    def authentication_errors(self) -> int:
        """Return how often the API server refused our credentials."""
        return self._client.auth_errors

    def waits_for(self) -> str:
        """Return what is missing before there can be an inventory; empty if nothing is."""
        if self._discovery is None:
            return "discovery has not begun yet"
        return self._discovery.waits_for()

    def leadership(self) -> tuple[bool, str] | None:
        """Return whether this replica leads, and who does; None if there is only this one."""
        election = self._election
        return None if election is None else (election.leading, election.holder or "nobody yet")

    def stages(self, wanted: DiscoveryWanted) -> Iterator[WantedStage]:
        """Yield the stages that run whether this replica is active or stands by."""
        lease = wanted.settings.lease
        if lease is not None:
            if self._election is None:
                self._election = self._candidate(lease)
            yield WantedStage(StageName.LEASE, self._elect, lease)
        yield WantedStage(StageName.DISCOVERY, partial(self._discover, wanted), wanted)

    def may_read(self, source: LogSource) -> bool:
        """Return whether no other replica reads *source* now."""
        return source.pods is None or self._election is None or self._election.certain

    async def read(self, source: LogSource, pulse: Pulse) -> None:
        """Read the logs of pods, through the API server or from files of this node."""
        await (self._pods if source.pods is not None else self._nodes).read(source, pulse)

    def _candidate(self, name: str) -> Election:
        namespace = self._client.namespace
        return Election(
            self._client,
            namespace=namespace,
            name=name,
            identity=self._replica,
            note=self._handover.for_lease,
            owner=lambda: None if self._discovery is None else self._discovery.owner,
            silence=self._silence,
        )

    async def _elect(self, pulse: Pulse) -> None:
        if self._election is None:
            return
        try:
            await self._election.run(self._started, self._stopped, self._arrange, pulse)
        finally:
            self._silence.end()

    def _started(self) -> None:
        log.info("this replica became the leader", replica=self._replica)
        if self._election is not None:
            self._handover.offer(*self._election.inherited, self._election.free_since)
        self._take()

    def _stopped(self) -> None:
        # As every controller does: what was under way ends with the process, and a new one begins
        # with nothing to take back.
        holder = self._election.holder if self._election is not None else ""
        self._end(ConnectionError(f"another replica leads: {holder or 'somebody'}"))

    async def _discover(self, wanted: DiscoveryWanted, pulse: Pulse) -> None:
        if self._discovery is None or self._discovers != wanted:
            self._discovery = self._make_discovery(wanted)
            self._discovers = wanted
        try:
            await self._discovery.run(pulse)
        except* (IdentityError, IdentityChangedError) as errors:
            self._end(errors.exceptions[0])
        pulse.rest()
        await asyncio.Event().wait()

    def _make_discovery(self, wanted: DiscoveryWanted) -> KubernetesInventory:
        settings = wanted.settings
        selection = Selection(namespaces=settings.namespaces, labels=settings.requirements())
        return KubernetesInventory(
            self._client,
            setting=wanted.local,
            config_map=settings.config_map,
            selection=selection,
            scope=scope_of(settings),
            told_hosts=wanted.told_hosts,
            unix=time.time,
            changed=self._discovered,
            became_stale=self._staleness.became_stale,
            recovered=self._staleness.recovered,
            keeper=self._keeper,
        )

    async def _discovered(self, found: Discovered) -> None:
        self._newest = found
        identity = self._discovery.identity if self._discovery is not None else None
        if identity is not None and not self._identified:
            log.info("local cluster identified", cluster=identity.cluster, by=identity.source)
            self._learns.identified(identity.cluster, identity.source)
            self._identified = identity.cluster
            # All objects of the cluster are here by now, and most of them stay.
            gc.freeze()
        elif identity is not None and identity.cluster != self._identified:
            # It was looked for again, because a reload says to look elsewhere.
            change = f"{self._identified}; now {identity.source} says {identity.cluster}"
            self._end(IdentityChangedError(f"this cluster was identified as {change}"))
            return
        self._learns.found(found.findings)
        self._take()

    def _take(self) -> None:
        """Use what was discovered, if this replica is the active one."""
        if self._newest is None:
            return
        if not self.works:
            self._handover.observe(self._newest.inventory)
            self._learns.stand_by(self._newest.inventory)
            return
        if not self._begun:
            self._handover.begin(self._newest.inventory.local)
            self._begun = True
        self._changed(self._newest.inventory)
        self._workloads.want(self._newest.workloads.values())
        if not self._active:
            self._handover.look_closer()
            self._arrange()
            self._active = True


def _free_since(election: Election | None) -> float | None:
    return None if election is None else election.free_since


def _leads_until(election: Election | None) -> float:
    return time.time() if election is None else election.term.until()
