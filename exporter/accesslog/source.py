"""One source of access logs: where its lines come from, how they look, and which of them count."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import LogFormat
from exporter.accesslog.readers.syslog import Endpoint
from exporter.config.paths import STDIN
from exporter.model.clusterset import ServiceName


class PodMatch(NamedTuple):
    """Which pods are those of a gateway."""

    namespace: str
    selector: str
    """Of labels, in the syntax of kubectl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """One source of access logs, ready to be read. Two equal sources are read in the same way."""

    files: tuple[str, ...]
    syslog: Endpoint | None
    """Where messages are received; None for files."""
    form: str
    """As `exporter.accesslog.formats.compile.compile_log` takes it."""
    wrapper: str
    service: ServiceName | None
    """None if the host or the pod tells which service a request was for."""
    pods: int | None = None
    """How many pods are followed at once; None for other sources."""
    match: PodMatch | None = None
    """Whose pods are followed; None for those behind exported services, and for other sources."""
    by_pod: bool = False
    """True for files whose names tell which pods wrote them."""
    after_lease: str | None = None
    """Namespace and name of the Lease of exporters that may read the same lines; None for none."""
    ignore_user_agents: tuple[str, ...] = ()
    """Requests with a user agent that begins with one of these are not counted."""
    ignore_paths: tuple[str, ...] = ()
    """Requests for one of these paths are not counted."""
    trusts_proxies: bool = False
    """True if the X-Forwarded-For header of some proxies is believed."""
    names: tuple[tuple[str, ServiceName], ...] = ()
    """Hosts, or names of upstreams, and the services that they stand for."""
    by_upstream: bool = False
    """True if the upstream's own name tells the service, and not the host."""
    by_route: bool = False
    """True if HTTPRoutes and Ingresses tell the service of a host, too."""
    gateway: bool = True
    """False for what stands behind services: whom that asks is asked for another service."""
    state_directory: Path | None = None
    """Where checkpoints are kept; None to keep none."""

    @property
    def tells_service(self) -> bool:
        """Return whether the pods tell the services: those that stand behind exported services."""
        return self.by_pod or (self.pods is not None and self.match is None)

    @property
    def title(self) -> str:
        """Return what people know this source by."""
        if self.match is not None:
            return f"pods of {self.match.namespace} with {self.match.selector}"
        if self.pods is not None:
            return "pods"
        if self.syslog is not None:
            kind, host, port, path = self.syslog
            return f"{kind}://{path}" if path else f"{kind}://{host}:{port}"
        return "stdin" if self.files == (STDIN,) else ", ".join(self.files)


def compile_source(source: LogSource, *, stamps: bool = False, upstream: bool = False) -> LogFormat:
    """
    Compile the format of a log source.

    Args:
        source: The log source.
        stamps: True to read the time of each line, which is slower.
        upstream: True to read where each request was sent, if it is the log of a gateway.

    Raises:
        FormatError: If the format cannot be read without guessing.
    """
    return compile_log(
        source.form,
        ignore_user_agents=source.ignore_user_agents,
        ignore_paths=source.ignore_paths,
        forwarded=source.trusts_proxies,
        host=source.service is None and not source.tells_service,
        stamps=stamps,
        upstream=upstream and source.gateway,
        by_upstream=source.by_upstream,
    )


def tells_upstream(source: LogSource) -> bool:
    """Return whether *source*, whose format is right, tells where requests were sent."""
    return compile_source(source, upstream=True).upstream
