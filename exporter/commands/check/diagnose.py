"""Objects of the local cluster, read once for a diagnosis of why clusterset names fail here."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.commands.load import RuntimeConfig, scope_of
from exporter.config.settings import KubernetesSettings
from exporter.discover.findings import Finding as Noticed
from exporter.discover.parse_submariner import LIGHTHOUSE_DNS, OPERATOR_NAMESPACE
from exporter.discover.resources import RESOURCES, ROUTES, Wanted
from exporter.judge.diagnosis import IN_NAMESPACE, ClusterRead, Dns, ObjectRead
from exporter.model.clusterset import Inventory, Profile

WITHIN = 10.0
"""Seconds for one request."""
REQUESTS_AT_ONCE = 8
"""Requests that run at the same time."""
_OPENSHIFT = "/apis/operator.openshift.io/v1"
_BUILT_IN = frozenset({"", "discovery.k8s.io", "networking.k8s.io"})
"""API groups that every API server has."""


class Right(NamedTuple):
    """A right that `run` needs."""

    verb: str
    group: str
    plural: str
    sub: str = ""
    namespace: str = ""
    name: str = ""
    """The one object that it is needed for; empty for all objects."""


async def read_cluster(
    client: ApiClient,
    loaded: RuntimeConfig,
    inventory: Inventory | None,
    noticed: frozenset[Noticed] = frozenset(),
) -> ClusterRead:
    """
    Read the objects for `exporter.judge.diagnosis`; an object that is refused is no error.

    Args:
        client: It has been entered.
        loaded: The configuration.
        inventory: What was discovered; None if nothing was.
        noticed: The findings of discovery.
    """
    served, unread = await _served(client, _wanted(loaded))
    rights_unread, missing, unsure = "", None, tuple[str, ...]()
    try:
        lacking = await _missing(client, list(_needed(client, loaded, set(served), set(unread))))
        doubtful = unread.keys() - _BUILT_IN
        missing = tuple(_title(each) for each in lacking if each.group not in doubtful)
        unsure = tuple(_title(each) for each in lacking if each.group in doubtful)
    except* ApiError as errors:
        rights_unread = next(str(each) for each in errors.exceptions)
    return ClusterRead(
        served=served,
        unread=next(iter(unread.values()), ""),
        missing=missing,
        unsure=unsure,
        rights_unread=rights_unread,
        noticed=tuple(sorted((each.about, each.text) for each in noticed)),
        by_route=loaded.told_hosts is not None,
        dns=await _dns(client, loaded) if _has_lighthouse(inventory, served) else None,
    )


def _has_lighthouse(inventory: Inventory | None, served: Iterable[str]) -> bool:
    if inventory is not None:
        return inventory.profile is Profile.SUBMARINER
    return any(title.endswith(".submariner.io") for title in served)


def _wanted(loaded: RuntimeConfig) -> tuple[Wanted, ...]:
    return RESOURCES if loaded.told_hosts is None else (*RESOURCES, *ROUTES)


async def _served(
    client: ApiClient, wanted: tuple[Wanted, ...]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the served versions of each resource, and why those of some groups are unknown."""
    groups = dict.fromkeys((each.group, v) for each in wanted for v in each.versions)
    found: dict[str, tuple[str, ...]] = {}
    unread: dict[str, str] = {}
    for group, version in groups:
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        seen = await _read(client, base)
        if seen.unread:
            unread[group] = seen.unread
        for each in (seen.found or {}).get("resources") or ():
            title = f"{each['name']}.{group}" if group else each["name"]
            found[title] = (*found.get(title, ()), version)
    return found, unread


def _needed(
    client: ApiClient, loaded: RuntimeConfig, served: set[str], unread: set[str]
) -> Iterator[Right]:
    """Yield the rights that `run` needs for the resources that this cluster has, or may have."""
    kubernetes = loaded.settings.inventory.kubernetes or KubernetesSettings()
    scope = scope_of(kubernetes)
    wanted = dict.fromkeys(
        (each.group, each.plural, namespace or "")
        for each in _wanted(loaded)
        for namespace in scope.of(each)
    )
    for group, plural, namespace in wanted:
        if group in unread or (f"{plural}.{group}" if group else plural) in served:
            for verb in ("list", "watch"):
                yield Right(verb, group, plural, namespace=namespace)
    for namespace in kubernetes.watch_namespaces or ("",):
        yield from _beside_watches(loaded, kubernetes, namespace)
    for namespace in sorted({each.match.namespace for each in loaded.logs if each.match}):
        for verb in ("list", "get"):
            yield Right(verb, "", "pods", namespace=namespace)
        yield Right("get", "", "pods", "log", namespace)
    if kubernetes.lease is not None:
        lease = Right("create", "coordination.k8s.io", "leases", "", client.namespace)
        # A rule cannot name an object that does not exist yet.
        yield lease
        for verb in ("get", "update"):
            yield lease._replace(verb=verb, name=kubernetes.lease)


def _beside_watches(
    loaded: RuntimeConfig, kubernetes: KubernetesSettings, namespace: str
) -> Iterator[Right]:
    """Yield the rights that `run` needs in a namespace, or in all if that is empty."""
    if any(source.tells_service for source in loaded.logs):
        yield Right("get", "", "pods", namespace=namespace)
    if any(source.tells_service and source.pods is not None for source in loaded.logs):
        yield Right("get", "", "pods", "log", namespace)
    if kubernetes.events:
        for verb in ("create", "patch"):
            yield Right(verb, "", "events", namespace=namespace)


async def _missing(client: ApiClient, needed: list[Right]) -> list[Right]:
    room = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def may(right: Right) -> bool:
        async with room:
            return await client.may(
                right.verb,
                right.plural,
                group=right.group,
                namespace=right.namespace,
                sub=right.sub,
                name=right.name,
            )

    async with asyncio.TaskGroup() as group:
        allowed = [(each, group.create_task(may(each))) for each in needed]
    return [each for each, task in allowed if not task.result()]


def _title(right: Right) -> str:
    sub = f"/{right.sub}" if right.sub else ""
    group = f".{right.group}" if right.group else ""
    name = f" {right.name}" if right.name else ""
    where = f"{IN_NAMESPACE}{right.namespace}" if right.namespace else ""
    return f"{right.verb} {right.plural}{sub}{group}{name}{where}"


async def _dns(client: ApiClient, loaded: RuntimeConfig) -> Dns:
    kubernetes = loaded.settings.inventory.kubernetes
    if kubernetes is not None and kubernetes.watch_namespaces:
        namespace = kubernetes.submariner_namespace or OPERATOR_NAMESPACE
    else:
        namespace = await _submariner_namespace(client)
    base = f"/api/v1/namespaces/{namespace}"
    system = "/api/v1/namespaces/kube-system/configmaps"
    cache = "/apis/apps/v1/namespaces/kube-system/daemonsets/node-local-dns"
    operator, operator_config = await _openshift(client)
    return Dns(
        namespace=namespace,
        pods=await _read(client, f"{base}/pods", {"labelSelector": f"app={LIGHTHOUSE_DNS}"}),
        service=await _read(client, f"{base}/services/{LIGHTHOUSE_DNS}"),
        coredns=await _read(client, f"{system}/coredns"),
        node_local=await _read(client, cache),
        node_local_config=await _read(client, f"{system}/node-local-dns"),
        operator=operator,
        operator_config=operator_config,
    )


async def _openshift(client: ApiClient) -> tuple[ObjectRead | None, ObjectRead]:
    """Read the object and the ConfigMap of OpenShift's DNS operator; None without that API."""
    # Everybody may ask which APIs there are. The object itself may be forbidden anywhere.
    if (await _read(client, _OPENSHIFT)).found is None:
        return None, ObjectRead()
    config = "/api/v1/namespaces/openshift-dns/configmaps/dns-default"
    return await _read(client, f"{_OPENSHIFT}/dnses/default"), await _read(client, config)


async def _submariner_namespace(client: ApiClient) -> str:
    seen = await _read(client, "/apis/submariner.io/v1alpha1/submariners")
    for each in (seen.found or {}).get("items") or ():
        return str(each["metadata"].get("namespace") or OPERATOR_NAMESPACE)
    return OPERATOR_NAMESPACE


async def _read(client: ApiClient, path: str, params: dict[str, str] | None = None) -> ObjectRead:
    try:
        return ObjectRead(await client.read(path, params, within=WITHIN))
    except ApiError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return ObjectRead()
        return ObjectRead(unread=error.message)
