"""The local cluster as an exporter lives in it: discovery, leadership and pod logs, as stages."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from exporter.accesslog.readers.nodes import NodeReader
from exporter.accesslog.readers.pods import PodReader
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.workloads import Workloads
from exporter.apiserver import auth
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, CredentialsError
from exporter.apiserver.lease import Election
from exporter.commands.load import RuntimeConfig
from exporter.commands.run.monitor import Monitor
from exporter.commands.run.shard import Shard, ordinal
from exporter.config.label_selector import Selection
from exporter.config.settings import KubernetesSettings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.assemble import Discovered
from exporter.discover.identity import IdentityError
from exporter.discover.kubernetes import IdentityChangedError, KubernetesInventory
from exporter.model.clusterset import Inventory

Stage = Callable[[], Awaitable[None]]
log = structlog.get_logger()


@asynccontextmanager
async def open_client(kubeconfig: str | None, context: str | None) -> AsyncIterator[ApiClient]:
    """
    Give a client of the API server that *kubeconfig* names, else of the pod's, else of kubectl's.

    Raises:
        SettingsError: If there are no credentials.
    """
    async with AsyncExitStack() as stack:
        try:
            source = await auth.find(os.environ, kubeconfig=kubeconfig, context=context)
            client = await stack.enter_async_context(ApiClient(source))
        except CredentialsError as error:
            raise SettingsError(str(error)) from error
        yield client


async def own_shard(client: ApiClient, pod: str) -> Shard:
    """
    Return the part of the services that the pod of a StatefulSet is for.

    Raises:
        SettingsError: If it is of none, or if the API server does not tell how many there are.
    """
    try:
        name, number = ordinal(pod)
        path = f"/apis/apps/v1/namespaces/{client.namespace}/statefulsets/{name}"
        total = (await client.read(path))["spec"].get("replicas", 1)
        return Shard(number, max(int(total), number + 1))
    except (ApiError, ValueError, KeyError, TypeError) as error:
        msg = f"--shard auto: {error}"
        raise SettingsError(msg) from error


class LocalCluster:
    """
    What an exporter does in a cluster's own API server.

    Args:
        client: Has been entered.
        pod: The name of our own pod.
        changed: Called with each new inventory, once this replica works.
        arrange: Called when other stages are wanted than before.
        end: Called with why this process cannot go on.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        pod: str,
        changed: Callable[[Inventory], None],
        arrange: Callable[[], None],
        end: Callable[[Exception], None],
    ) -> None:
        self._client, self._pod = client, pod
        self._changed, self._arrange, self._end = changed, arrange, end
        self._newest: Discovered | None = None
        self._election: Election | None = None
        self._discovery: KubernetesInventory | None = None
        self._monitor: Monitor
        self._workloads: Workloads
        self.pods: PodReader
        self.nodes: NodeReader

    def begin(self, monitor: Monitor, reader: Reader) -> None:
        """Tell *monitor* what is learned."""
        self._monitor = monitor
        self._workloads = known = Workloads(self._client, monitor, time.time)
        self.pods = PodReader(self._client, known, monitor, reader, time.time)
        self.nodes = NodeReader(known, monitor, reader)
        monitor.watches = lambda: () if self._discovery is None else self._discovery.watches()
        monitor.waits_for = self._waits_for
        monitor.leadership = self._leadership

    @property
    def works(self) -> bool:
        """Return whether this replica is the one to probe and to read logs, and may."""
        leads = self._election is None or self._election.leading
        return self._newest is not None and leads

    def stages(self, loaded: RuntimeConfig) -> Iterator[tuple[Hashable, Stage]]:
        """Yield the stages wanted whether this replica works or stands by."""
        wanted = loaded.settings.inventory.kubernetes or KubernetesSettings()
        if wanted.lease is not None:
            if self._election is None:
                self._election = self._candidate(wanted.lease)
            yield ("lease", wanted.lease), self._elect
        setting = loaded.local
        yield ("discovery", wanted, setting), lambda: self._discover(wanted, setting)

    def _candidate(self, name: str) -> Election:
        namespace = self._client.namespace
        return Election(self._client, namespace=namespace, name=name, identity=self._pod)

    async def _elect(self) -> None:
        if self._election is not None:
            await self._election.run(self._started, self._stopped)

    def _started(self) -> None:
        log.info("leads", pod=self._pod)
        self._take()

    def _stopped(self) -> None:
        # As every controller does: what was under way ends with the process, and a new one begins
        # with nothing to take back.
        self._end(ConnectionError("lost the lease to lead"))

    async def _discover(self, wanted: KubernetesSettings, setting: str) -> None:
        selection = Selection(namespaces=wanted.namespaces, labels=wanted.requirements())
        self._discovery = KubernetesInventory(
            self._client,
            setting=setting,
            config_map=wanted.config_map,
            selection=selection,
            unix=time.time,
            changed=self._discovered,
            observation_gap=self._monitor.observation_gap,
        )
        try:
            await self._discovery.run()
        except* (IdentityError, IdentityChangedError) as errors:
            self._end(errors.exceptions[0])
        await asyncio.Event().wait()

    async def _discovered(self, found: Discovered) -> None:
        first, self._newest = self._newest is None, found
        identity = self._discovery.identity if self._discovery is not None else None
        if first and identity is not None:
            log.info("this cluster", cluster=identity.cluster, by=identity.source)
            self._monitor.identified(identity.cluster, identity.source)
            # All objects of the cluster are here by now, and most of them stay.
            gc.freeze()
        elif identity is not None and identity.cluster != self._monitor.local:
            # Looked for anew, since a reload says to look elsewhere.
            told = f"{self._monitor.local}; now {identity.source} says {identity.cluster}"
            self._end(IdentityChangedError(f"this cluster was taken for {told}"))
            return
        self._monitor.found(found.findings)
        self._take(first=first)

    def _take(self, *, first: bool = True) -> None:
        """Use what was discovered, if this replica works."""
        if self._newest is None or not self.works:
            return
        self._changed(self._newest.inventory)
        if self._election is not None:
            self.pods.taken_over = self._election.free_since
        self._workloads.want(self._newest.workloads.values())
        if first:
            self._arrange()

    def _waits_for(self) -> str:
        if self._discovery is None:
            return "discovery has not begun yet"
        return self._discovery.waits_for()

    def _leadership(self) -> tuple[bool, str] | None:
        election = self._election
        return None if election is None else (election.leading, election.holder or "nobody yet")
