"""What Karmada writes on the objects that it sends to a member cluster."""

from exporter.apiserver.json_fields import Json, text

KARMADA_NAMESPACE = "work.karmada.io/namespace"
"""The annotation that names the cluster an object was sent to."""
KARMADA_PREFIX = "karmada-es-"
PROVISION_CLUSTER = "endpointslice.karmada.io/provision-cluster"
"""The annotation that names the cluster a slice of endpoints was brought from."""


def karmada_cluster(annotations: Json) -> str:
    """Return Karmada's name of this cluster, which it writes on all that it sends here, or ""."""
    namespace = text(annotations, KARMADA_NAMESPACE)
    return namespace.removeprefix(KARMADA_PREFIX) if namespace.startswith(KARMADA_PREFIX) else ""
