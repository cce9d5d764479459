"""Finds the exporter's own ConfigMap for `check`, which often runs outside of its namespace."""

from exporter.apiserver.annotations import annotations_of, as_object
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError
from exporter.discover.parse_karmada import karmada_cluster

USUAL_NAMESPACE = "clusterset-exporter"
"""Where the exporter is installed unless somebody chose another namespace."""
_LABELS = "app.kubernetes.io/name=clusterset-exporter,app.kubernetes.io/component=exporter"
_MOST = "50"


async def own_config_map(client: ApiClient, name: str) -> tuple[str, str]:
    """
    Return namespace and name of the exporter's own ConfigMap, which Karmada may have annotated.

    In a pod it is *name* in the client's namespace. With a kubeconfig that namespace is another
    one, so all namespaces are searched by label. Without the right to do so, the usual namespace
    is returned.
    """
    try:
        await client.read(f"/api/v1/namespaces/{client.namespace}/configmaps/{name}")
    except ApiError:
        return await _by_label(client, name)
    return client.namespace, name


async def _by_label(client: ApiClient, name: str) -> tuple[str, str]:
    try:
        found = await client.read("/api/v1/configmaps", {"labelSelector": _LABELS, "limit": _MOST})
    except ApiError:
        return USUAL_NAMESPACE, name
    listed = found.get("items")
    items = [as_object(each) for each in listed] if isinstance(listed, list) else []
    # One that Karmada sent first.
    items.sort(key=lambda each: not karmada_cluster(annotations_of(each)))
    for about in (as_object(each.get("metadata")) for each in items):
        where, called = about.get("namespace"), about.get("name")
        if isinstance(where, str) and isinstance(called, str) and where and called:
            return where, called
    return USUAL_NAMESPACE, name
