"""What all recorders share: the store, and the cluster that this exporter runs in."""

from exporter.metrics.family import Family
from exporter.metrics.labels import Labels
from exporter.metrics.store import SeriesStore


class Recorder:
    """
    Changes series of the store.

    Args:
        store: Where the values are kept.
        local: The cluster that this exporter runs in.
    """

    def __init__(self, store: SeriesStore, local: str) -> None:
        self._store = store
        self._local = local

    def count(self, family: Family, labels: Labels = (), amount: float = 1) -> None:
        """Add *amount* to a counter."""
        self._store.series[family].inc(labels, amount)

    def set_gauge(self, family: Family, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        self._store.series[family].set(labels, value)

    def set_or_remove(self, family: Family, value: float | None, labels: Labels = ()) -> None:
        """Set a gauge, or remove it if there is no value."""
        if value is None:
            self._store.series[family].drop(labels)
        else:
            self.set_gauge(family, value, labels)

    def observe(self, family: Family, seconds: float, labels: Labels = ()) -> None:
        """Count an observation in a histogram."""
        self._store.histograms[family].observe(labels, seconds)
