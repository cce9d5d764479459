"""Counts the logs of the clusters of one request, part by part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.guess import guess
from exporter.accesslog.formats.log_format import MAX_LENGTH, FormatError, LogFormat
from exporter.accesslog.line_reader import MAX_ODD, Lines
from exporter.accesslog.readers.past import FilePart, read_blocks
from exporter.accesslog.upstream_counter import Sent, UpstreamCounter
from exporter.commands.analyze.formats import Formats
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.judge.destinations import Destinations
from exporter.model.clusterset import Address, Inventory, ServiceName
from exporter.model.probes import Question
from exporter.model.traffic import LogCounts

AUTO, MAIN = "auto", "main"
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
    form: str = AUTO
    """As `exporter.accesslog.formats.compile.compile_log` takes it; auto: by the first lines."""
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

    Args:
        request: What is counted.
        formats: The format of each file, if the request leaves it open. The format of what can be
            read only once is found while it is counted, and put in here.

    Raises:
        SettingsError: If the inventory is broken, or format or service cannot be told.
    """

    def __init__(self, request: AnalyzeRequest, formats: Formats) -> None:
        self._request, self._formats = request, formats
        self.inventories = {
            cluster: read_inventory(request.inventory_file, cluster) for cluster in request.logs
        }
        self._lines: dict[tuple[str, str, str], Lines] = {}
        if request.service is not None and ServiceName.parse(request.service) is None:
            msg = f"--service {request.service}: should be namespace/name"
            raise SettingsError(msg)
        if request.form != AUTO:
            for cluster in request.logs:
                self._lines_of(cluster, request.form, request.wrapper)

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
            lines = self._lines_for(cluster, part.name, block)
            if lines is None:
                _count_unread(block, counts)
            else:
                lines.count(part.name, block, counts)
        if not counts.read and self._request.form == AUTO:
            # Nothing was counted, but what is wrong with the request is still told.
            self._lines_of(cluster, MAIN, "none")
        return counts

    def _lines_for(self, cluster: str, name: str, block: bytes) -> Lines | None:
        """Return what counts the file *name*; None if no preset reads it."""
        request = self._request
        if request.form != AUTO:
            return self._lines_of(cluster, request.form, request.wrapper)
        if name not in self._formats and (found := guess(block, request.wrapper)) is not None:
            self._formats[name] = found
        chosen = self._formats.get(name)
        return None if chosen is None else self._lines_of(cluster, chosen.form, chosen.wrapper)

    def _lines_of(self, cluster: str, form: str, wrapping: str) -> Lines:
        key = (cluster, form, wrapping)
        if key not in self._lines:
            self._lines[key] = self._make_lines(self.inventories[cluster], form, wrapping)
        return self._lines[key]

    def _make_lines(self, inventory: Inventory, form: str, wrapping: str) -> Lines:
        request, log = self._request, _compile(self._request, form)
        fixed = _service(inventory, request, log)

        def service_of(host: str) -> tuple[ServiceName, bool] | None:
            if fixed is not None:
                return fixed, False
            named = Question.of_name(host, DOMAIN)
            return None if named is None else (named.service, False)

        def span_of(at: float) -> float | None:
            if at < (request.since or 0) or (request.until is not None and at >= request.until):
                return None
            return at // (request.every or MINUTE) * (request.every or MINUTE)

        destinations = Destinations(inventory, partial(_owner, inventory))

        def sent_to(host: str, server: str) -> Sent | None:
            named = service_of(host)
            if named is None:
                return None
            return named[0], inventory.local, destinations.cluster(named[0], server), False

        span = span_of if request.timed else None
        source_of = Attribution(inventory).source
        if log.upstream:
            with_upstreams = partial(UpstreamCounter, by_arrival=False, sum_probes=True)
            return Lines(with_upstreams(log, source_of, service_of, sent_to, span), wrapping)
        return Lines(Counter(log, source_of, service_of, span, sum_probes=True), wrapping)


def _owner(inventory: Inventory, service: ServiceName, address: Address) -> str | None:
    """Return the cluster that exports *service* with *address*, by the inventory."""
    known = inventory.services.get(service)
    return None if known is None else known.owner_of(address)


def _count_unread(block: bytes, counts: LogCounts) -> None:
    """Count lines that no preset reads, and keep some of them."""
    number = block.count(b"\n")
    counts.read += number
    counts.other += number
    some = block.split(b"\n", MAX_ODD)[: MAX_ODD - len(counts.odd)]
    counts.odd += [line for line in some if 0 < len(line) <= MAX_LENGTH]


def _compile(request: AnalyzeRequest, form: str) -> LogFormat:
    try:
        # Health checks of kubelets do not count as client traffic, as in `run`.
        log = compile_log(
            form, ignore_user_agents=("kube-probe/",), stamps=request.timed, upstream=True
        )
    except FormatError as error:
        msg = f"--format: {error}"
        raise SettingsError(msg) from error
    if request.timed and "stamp" not in log.fields:
        named = "" if request.form != AUTO else f"{form} "
        msg = f"--format: {named}has no $time_local; logs of several clusters and times need it"
        raise SettingsError(msg)
    return log


def _service(inventory: Inventory, request: AnalyzeRequest, log: LogFormat) -> ServiceName | None:
    """Return the service of all lines; None if each line has a host."""
    if request.service is not None:
        return ServiceName.parse(request.service)
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
