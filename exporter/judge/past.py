"""Judges requests in logs of the past, for which nobody knows any more who was ready."""

from enum import StrEnum

from exporter.model.clusterset import EXTERNAL, NOT_CLUSTERS


class PastLocality(StrEnum):
    """Where a client of the past came from. A log does not say which clusters were ready."""

    LOCAL = "local"
    EXPORTED = "exported"
    """The client's cluster exports the service, too: a failover, a leak, or neither."""
    REMOTE = "remote"
    """The client's cluster does not export the service, so its requests had to cross."""
    EXTERNAL = "external"
    UNKNOWN = "unknown"


def past_locality(source: str, cluster: str, exporters: frozenset[str]) -> PastLocality:
    """
    Judge requests of *source* that *cluster* served, or was sent, at some time.

    Args:
        source: A cluster id, or one of `exporter.model.clusterset.NOT_CLUSTERS`.
        cluster: The cluster that served them; or where a gateway in *source* sent them, which may
            be one of NOT_CLUSTERS, too.
        exporters: The clusters that export the service, by the inventory.
    """
    for end in (source, cluster):
        if end in NOT_CLUSTERS:
            return PastLocality.EXTERNAL if end == EXTERNAL else PastLocality.UNKNOWN
    if source == cluster:
        return PastLocality.LOCAL
    # Nobody knows any more who was ready when. So a failover and a leak look the same.
    return PastLocality.EXPORTED if source in exporters else PastLocality.REMOTE
