"""`check` with the inventory of the local cluster's API server, and a diagnosis of the cluster."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from exporter.apiserver.client import ApiClient
from exporter.apiserver.open_client import open_client
from exporter.commands.check import diagnose
from exporter.commands.check import service as check
from exporter.commands.check.own_objects import own_config_map
from exporter.commands.check.watch import Change, Watched, finding_change, watch_service
from exporter.commands.load import RuntimeConfig, scope_of
from exporter.config.label_selector import Selection
from exporter.config.settings import KubernetesSettings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.assemble import Discovered
from exporter.discover.identity import IdentityChangedError, IdentityError
from exporter.discover.kubernetes import KubernetesInventory
from exporter.judge.diagnosis import diagnose as judged
from exporter.judge.diagnosis import lacks_mcs_api
from exporter.judge.report import CheckLine, Level, Report
from exporter.model.clusterset import Inventory, ServiceName

T = TypeVar("T")
FIRST_WITHIN = 30.0
"""Seconds within which the first inventory must arrive."""
DIAGNOSE_EVERY = 60.0
"""Seconds between two diagnoses with --watch; each takes about 40 requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The kubeconfig and its context; both None for the account of the pod, else kubectl's file."""

    kubeconfig: str | None
    context: str | None


class UnknownClusterError(SettingsError):
    """Nothing says which cluster this is."""


@dataclass(slots=True, kw_only=True)
class Newest:
    """Keeps the newest inventory, and tells whoever has to know at once."""

    changed: Callable[[Inventory], None] = lambda _: None
    became_stale: Callable[[str, float], None] = lambda *_: None
    """Called with a resource and since when its changes are not seen."""
    recovered: Callable[[str], None] = lambda _: None
    there: asyncio.Event = field(default_factory=asyncio.Event)
    found: Discovered = field(init=False)

    async def take(self, found: Discovered) -> None:
        """Take in what is discovered now."""
        self.found = found
        self.there.set()
        self.changed(found.inventory)


async def look_in_cluster(loaded: RuntimeConfig, service: ServiceName, reach: Reach) -> check.Look:
    """
    Discover, look at *service* once, and diagnose the cluster.

    Where the MCS API is not installed, the diagnosis alone is the result.

    Raises:
        SettingsError: If the cluster cannot be asked, or the service is not in it.
    """

    async def once(client: ApiClient, newest: Newest) -> check.Look:
        found = newest.found
        seen = await check.look(loaded, found.inventory, service)
        more = await _diagnosed(client, loaded, found)
        faults = ", ".join(each.about for each in more if each.level is Level.FAIL)
        verdict = seen.report.verdict + (f" The cluster has faults: {faults}." if faults else "")
        report = replace(seen.report, findings=(*seen.report.findings, *more), verdict=verdict)
        return replace(seen, report=report)

    async with open_client(reach.kubeconfig, reach.context) as client:
        try:
            return await following(client, loaded, lambda newest: once(client, newest))
        except (UnknownClusterError, check.UnknownServiceError) as error:
            only = await _without_api(client, loaded, service, error)
            if only is None:
                raise
            return only


async def _without_api(
    client: ApiClient, loaded: RuntimeConfig, service: ServiceName, error: SettingsError
) -> check.Look | None:
    """Return the diagnosis of a cluster without the MCS API; None if it may have one."""
    read = await diagnose.read_cluster(client, loaded, None)
    if not lacks_mcs_api(read):
        return None
    about = "cluster" if isinstance(error, UnknownClusterError) else str(service)
    report = Report(
        service=service,
        findings=(
            CheckLine(Level.FAIL, about, str(error)),
            *judged(read, loaded.settings.clusterset_domain),
        ),
        serving=None,
        standbys=frozenset(),
        verdict=f"{service} has no clusterset name here: the MCS API is not installed.",
    )
    return check.Look(report=report, plain={})


async def watch_in_cluster(
    loaded: RuntimeConfig,
    service: ServiceName,
    reach: Reach,
    told: Callable[[Change], None],
    shown: Callable[[Watched], None],
) -> None:
    """
    Look again and again while the API server's changes are followed; see `watch_service`.

    The cluster is diagnosed now and then, and each change of what is not well is told.
    """

    async def on(client: ApiClient, newest: Newest) -> None:
        def again() -> tuple[RuntimeConfig, Inventory]:
            return loaded, newest.found.inventory

        looked = asyncio.Event()

        def seen(watched: Watched) -> None:
            looked.set()
            shown(watched)

        async def diagnosing() -> None:
            # The result for the service is printed first.
            await looked.wait()
            await _keep_diagnosing(client, loaded, newest, told)

        async with asyncio.TaskGroup() as group:
            group.create_task(diagnosing(), name="diagnosis")
            await watch_service(again, service, told, seen)

    async with open_client(reach.kubeconfig, reach.context) as client:
        await following(client, loaded, lambda newest: on(client, newest))


async def _keep_diagnosing(
    client: ApiClient, loaded: RuntimeConfig, newest: Newest, told: Callable[[Change], None]
) -> None:
    before: dict[str, CheckLine] = {}
    while True:
        found = await _diagnosed(client, loaded, newest.found)
        now = {each.about: each for each in found if each.level is not Level.OK}
        for about, each in now.items():
            if before.get(about) != each:
                told(finding_change(each.level, about, each.text))
        for about in before.keys() - now.keys():
            told(finding_change(Level.OK, about, "is well again"))
        before = now
        await asyncio.sleep(DIAGNOSE_EVERY)


async def _diagnosed(
    client: ApiClient, loaded: RuntimeConfig, found: Discovered
) -> tuple[CheckLine, ...]:
    read = await diagnose.read_cluster(client, loaded, found.inventory, found.findings)
    return tuple(judged(read, loaded.settings.clusterset_domain))


async def following(
    client: ApiClient,
    loaded: RuntimeConfig,
    use: Callable[[Newest], Awaitable[T]],
    newest: Newest | None = None,
) -> T:
    """
    Follow the API server while *use* runs with the newest inventory, from the first one on.

    Raises:
        SettingsError: If the cluster cannot be asked.
    """
    newest = newest or Newest()
    discovery = _discovery(client, loaded, newest)
    failed: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(discovery.run(), name="discovery")
            await _first(discovery, newest)
            result = await use(newest)
            running.cancel()
    except* (IdentityError, IdentityChangedError, SettingsError) as errors:
        failed = _leaf(errors)
    if isinstance(failed, IdentityError):
        raise UnknownClusterError(str(failed)) from failed
    if isinstance(failed, SettingsError):
        raise failed
    if failed is not None:
        raise SettingsError(str(failed)) from failed
    return result


async def _first(discovery: KubernetesInventory, newest: Newest) -> None:
    try:
        async with asyncio.timeout(FIRST_WITHIN):
            await newest.there.wait()
    except TimeoutError as error:
        msg = f"{discovery.waits_for() or 'no inventory'}; gave up after {FIRST_WITHIN:g} s"
        raise SettingsError(msg) from error


def _discovery(client: ApiClient, loaded: RuntimeConfig, newest: Newest) -> KubernetesInventory:
    wanted = loaded.settings.inventory.kubernetes or KubernetesSettings()
    return KubernetesInventory(
        client,
        setting=loaded.local,
        config_map=wanted.config_map,
        locate=partial(own_config_map, client, wanted.config_map),
        selection=Selection(namespaces=wanted.namespaces, labels=wanted.requirements()),
        scope=scope_of(wanted),
        told_hosts=loaded.told_hosts,
        unix=time.time,
        changed=newest.take,
        became_stale=newest.became_stale,
        recovered=newest.recovered,
    )


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
