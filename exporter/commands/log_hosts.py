"""Log formats without the host of a request: where they matter, and what would mend them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from exporter.accesslog.formats.compile import format_with_host
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.source import LogSource, compile_source
from exporter.judge.hazards import needs_host
from exporter.model.clusterset import Inventory, Service, ServiceName
from exporter.model.probes import Question
from exporter.model.verdicts import Policy

MAX_NAMED = 3
"""Services that are named in a message."""


def hostless_sources(sources: Iterable[LogSource], service: Service) -> Iterator[LogSource]:
    """
    Yield the log sources that have requests of *service* without their host.

    A source of pods has the format that the Service names. Annotations of pods are not known here.
    """
    for source in sources:
        made = source
        if source.tells_service:
            made = replace(source, form=service.log_format or source.form)
        elif source.service != service.name:
            continue
        if is_hostless(made):
            yield made


def is_hostless(source: LogSource) -> bool:
    """Return whether the format of *source* has no host. A broken format has its own message."""
    try:
        return "host" not in compile_source(source).fields
    except FormatError:
        return False


def concerned(
    inventory: Inventory,
    services: Iterable[ServiceName],
    policy_of: Callable[[ServiceName], Policy],
) -> list[ServiceName]:
    """Return those of *services* whose verdicts are wrong without the host of a request."""
    return sorted(
        name
        for name in services
        if name in inventory.services
        and needs_host(inventory, inventory.services[name], policy_of(name))
    )


def effect(services: Sequence[ServiceName], local: str, domain: str) -> str:
    """Return what is wrong for *services*, at least one, whose log here has no host."""
    more = len(services) - MAX_NAMED
    names = [*map(str, services[:MAX_NAMED]), *([f"{more} more"] if more > 0 else [])]
    pinned = Question(services[0], local).dns_name(domain)
    return (
        f"the format has no $host, so a request for a pinned name such as {pinned} counts as a "
        f"leak of {', '.join(names)}"
    )


def remedy(form: str) -> str:
    """Return what would work in place of the log format *form*."""
    line = format_with_host(form)
    if not line:
        return "choose a format that has the host of the request"
    return f"add $host to log_format in nginx and to the format here, for example: {line}"
