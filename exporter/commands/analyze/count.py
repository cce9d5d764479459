"""Counts the logs of the clusters of one request, part by part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import FormatError, LogFormat
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.past import FilePart, read_blocks
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import Question
from exporter.model.traffic import LogCounts

MINUTE = 60.0
DOMAIN = "clusterset.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeRequest:
    """The logs, and what is counted of them."""

    inventory_file: Path
    logs: Mapping[str, Sequence[str]]
    """Files by the cluster that wrote them; `-` is standard input, and files may be gzip."""
    service: str | None = None
    """As namespace/name; None if each line has a host, or the inventory has only one service."""
    form: str = "main"
    """combined, main, json, or a log_format string."""
    wrapper: str = "none"
    since: float | None = None
    """Unix seconds."""
    until: float | None = None
    every: float | None = None
    """Seconds of each step in time; None for no steps."""
    jobs: int = 1
    """How many processes count at once."""

    @property
    def timed(self) -> bool:
        """Return whether it matters when a request was served."""
        times = (self.since, self.until, self.every)
        return len(self.logs) > 1 or any(each is not None for each in times)


class LogCounter:
    """
    Counts parts of the logs of *request*.

    Raises:
        SettingsError: If the inventory is broken, or format or service cannot be told.
    """

    def __init__(self, request: AnalyzeRequest) -> None:
        self._request = request
        self._log = _compile(request)
        self.inventories = {
            cluster: read_inventory(request.inventory_file, cluster) for cluster in request.logs
        }
        self._lines = {
            cluster: self._lines_of(inventory) for cluster, inventory in self.inventories.items()
        }

    def count(self, cluster: str, part: FilePart, read: Callable[[int], None]) -> LogCounts:
        """
        Count *part* of a log of *cluster*, and tell *read* how many bytes were read.

        Raises:
            exporter.accesslog.readers.past.ReadError: If the file cannot be read.
        """
        counts = LogCounts()

        def cut() -> None:
            counts.read += 1
            counts.truncated += 1

        for block in read_blocks(part, read=read, cut=cut):
            self._lines[cluster].count(part.name, block, counts)
        return counts

    def _lines_of(self, inventory: Inventory) -> Lines:
        request = self._request
        fixed = _service(inventory, request, self._log)

        def service_of(host: str) -> tuple[ServiceName, bool] | None:
            if fixed is not None:
                return fixed, False
            named = Question.of_name(host, DOMAIN)
            return None if named is None else (named.service, False)

        def span_of(at: float) -> float | None:
            if at < (request.since or 0) or (request.until is not None and at >= request.until):
                return None
            return at // (request.every or MINUTE) * (request.every or MINUTE)

        span = span_of if request.timed else None
        source_of = Attribution(inventory).source
        counter = Counter(self._log, source_of, service_of, span, sum_probes=True)
        return Lines(counter, request.wrapper)


def _compile(request: AnalyzeRequest) -> LogFormat:
    try:
        # Health checks of kubelets do not count as client traffic, as in `run`.
        log = compile_log(request.form, ignore_user_agents=("kube-probe/",), stamps=request.timed)
    except FormatError as error:
        msg = f"--format: {error}"
        raise SettingsError(msg) from error
    if request.timed and "stamp" not in log.fields:
        msg = "--format: has no $time_local; logs of several clusters and times need it"
        raise SettingsError(msg)
    return log


def _service(inventory: Inventory, request: AnalyzeRequest, log: LogFormat) -> ServiceName | None:
    """Return the service of all lines; None if each line has a host."""
    if request.service is not None:
        name = ServiceName.parse(request.service)
        if name is None:
            msg = f"--service {request.service}: should be namespace/name"
            raise SettingsError(msg)
        return name
    if "host" in log.fields:
        return None
    if len(inventory.services) == 1:
        return next(iter(inventory.services))
    known = ", ".join(map(str, inventory.services)) or "none"
    msg = (
        f"--service is missing: the format logs no $host, and {request.inventory_file} has not "
        f"just one; known are {known}"
    )
    raise SettingsError(msg)
