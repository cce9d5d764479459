"""The series of this process, such as its memory and CPU time; they are read from /proc."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_text
from prometheus_client.registry import Collector


class ProcessMetrics(Collector):
    """The process series of `prometheus_client`. Both methods read files, so use a thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._collector = ProcessCollector(registry=self._registry)

    def collect(self) -> Iterable[Metric]:
        """Read the values as they are now."""
        return self._collector.collect()

    def text(self, *, openmetrics: bool) -> bytes:
        """Return the exposition, with the end mark of OpenMetrics."""
        generate: Callable[[CollectorRegistry], bytes] = (
            openmetrics_text.generate_latest if openmetrics else generate_latest
        )
        return generate(self._registry)
