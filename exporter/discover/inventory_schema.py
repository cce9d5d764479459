"""The JSON Schema of the static inventory: its types, and what its classes refuse besides."""

from collections.abc import Mapping
from typing import Any

from exporter.config.patterns import ADDRESS, NETWORK, ONE_LABEL, whole
from exporter.config.schema import PORT, SchemaPart, schema_of, values
from exporter.discover.inventory_file import (
    ClusterEntry,
    ExportEntry,
    InventoryFile,
    PortEntry,
    ServiceEntry,
)
from exporter.model.clusterset import NOT_CLUSTERS

_NETWORKS: SchemaPart = {"items": NETWORK}
_ADDRESSES: SchemaPart = {"items": ADDRESS}
_ONCE: SchemaPart = {**_ADDRESSES, "uniqueItems": True}
_VERSION = r"v?[0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?(?:[-+].*)?"

_RULES: Mapping[type, tuple[SchemaPart, ...]] = {
    InventoryFile: (values(submariner_version=whole(_VERSION)),),
    ClusterEntry: (
        values(
            id={**ONE_LABEL, "not": {"enum": sorted(NOT_CLUSTERS)}},
            pod_cidrs=_NETWORKS,
            service_cidrs=_NETWORKS,
            global_cidrs=_NETWORKS,
            node_addresses=_ADDRESSES,
        ),
    ),
    PortEntry: (values(port=PORT),),
    ExportEntry: (values(addresses={**_ONCE, "minItems": 1}),),
    ServiceEntry: (values(namespace=ONE_LABEL, name=ONE_LABEL, clusterset_ips=_ONCE),),
}


def inventory_schema() -> dict[str, Any]:
    """Return the JSON Schema of the static inventory."""
    return schema_of(InventoryFile, _RULES)
