"""The status page: what `/api/v1/status` says, for a person at night."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from exporter.model.probes import Lookup
from exporter.model.verdicts import HAZARD_MEANS, Mode
from exporter.web.page import runbooks, words
from exporter.web.page.trouble import in_trouble, lacks_standby, recent

MAX_SERVICES = 250
"""Services shown; the JSON has all of them."""
MAX_OPEN = 10
"""Services whose details are open from the start: those in trouble, and all of a few."""
MAX_FAILED = 20
MAX_REQUESTS = 20
"""Rows of client requests shown a service."""

_WORST_FIRST = (
    Mode.BLACKOUT,
    Mode.DEGRADED,
    Mode.MIXED,
    Mode.FAILOVER,
    Mode.UNKNOWN,
    Mode.REMOTE,
    Mode.LOCAL,
)
_MEANS = {
    Mode.BLACKOUT: "nobody answers",
    Mode.DEGRADED: "some answers lead to a cluster that does not reply",
    Mode.MIXED: "answers go to and fro",
    Mode.FAILOVER: "served by another cluster",
    Mode.UNKNOWN: "has too few fresh probes, or an address that does not tell",
    Mode.REMOTE: "served by another cluster, and not exported here",
    Mode.LOCAL: "served in this cluster",
}
_SYMBOLS = {
    Mode.BLACKOUT: "✕",
    Mode.DEGRADED: "◐",
    Mode.MIXED: "⇄",
    Mode.FAILOVER: "→",
    Mode.UNKNOWN: "?",
    Mode.REMOTE: "↗",
    Mode.LOCAL: "✓",
}
_LOOKUPS = {
    Lookup.A: "for an address",
    Lookup.CLIENT: "as clients ask",
    Lookup.SRV: "for SRV records",
}
_MINUTE, _HOUR, _DAY, _KILO = 60, 3600, 86400, 1000


class Headline(NamedTuple):
    """The answer in a sentence, and how bad it is: a mode's name, or `problem`."""

    tone: str
    text: str


def page(status: Mapping[str, Any]) -> str:
    """Return the page that shows *status*, as the monitor makes it."""
    services = sorted(
        status["services"],
        key=lambda s: (
            _WORST_FIRST.index(s["mode"]),
            not recent(s).any,
            not lacks_standby(s),
            (s["namespace"], s["name"]),
        ),
    )
    values = dict(
        status,
        headline=headline(status, services),
        shown=services[:MAX_SERVICES],
        left_out=len(services) - MAX_SERVICES,
        max_open=MAX_OPEN,
        failed=failed_groups(status["failed_probes"])[:MAX_FAILED],
        max_requests=MAX_REQUESTS,
        means=_MEANS,
        words=words,
        means_lookup=_LOOKUPS,
        hazards=HAZARD_MEANS,
        symbols=_SYMBOLS,
        lacks_standby=lacks_standby,
        recent=recent,
        in_trouble=in_trouble,
        board=partial(board, status),
        runbooks=partial(runbooks.of_service, status),
        runbook_of=partial(runbooks.of_problem, status),
        gone_runbook=runbooks.url(status, runbooks.GONE),
    )
    return _rendered(values)


def failed_groups(probes: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the newest of failed *probes* with each name and reason, with how many there are."""
    counts = Counter((each["dns_name"], each["reason"]) for each in probes)
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in probes:
        key = each["dns_name"], each["reason"]
        if key not in newest or each["at"] > newest[key]["at"]:
            newest[key] = each
    shown = sorted(newest.items(), key=lambda item: -item[1]["at"])
    return [(counts[key], each) for key, each in shown]


def board(status: Mapping[str, Any], service: Mapping[str, Any]) -> str:
    """Return the URL of Grafana's board with its variables set to *service*."""
    url, cluster = status["dashboard_url"], status["cluster"]
    chosen = {
        "namespace": service["namespace"],
        "service": service["name"],
        "source_cluster": cluster,
    }
    query = urlencode({f"var-{name}": value for name, value in chosen.items()})
    return f"{url}{'&' if '?' in url else '?'}{query}"


def headline(status: Mapping[str, Any], services: Sequence[Mapping[str, Any]]) -> Headline:
    """Answer the one question: is all served where it should be? *services* are worst first."""
    if not status["leading"]:
        return Headline("unknown", f"This replica stands by; {status['leader']} works.")
    if not status["ready"]:
        return Headline("problem", f"Not ready: {status['not_ready_reason']}.")
    if not services:
        return Headline("unknown", "The inventory has no services.")
    worst = services[0]
    if worst["mode"] == Mode.LOCAL:
        return _all_local(services)
    others = sum(service["mode"] != Mode.LOCAL for service in services) - 1
    name, mode = f"{worst['namespace']}/{worst['name']}", worst["mode"]
    text = f"{name}: {mode}, {_served(worst)}"
    if mode == Mode.UNKNOWN:
        text = f"{name}{_starting(worst) or ' ' + _served(worst)}"
    more = f"; {others} more not served in this cluster" if others else ""
    return Headline(mode, f"{text}{more}.")


def _all_local(services: Sequence[Mapping[str, Any]]) -> Headline:
    newest = recent(services[0])
    if newest.any:
        name = f"{services[0]['namespace']}/{services[0]['name']}"
        others = sum(recent(service).any for service in services) - 1
        more = f"; {_many(others, 'has', 'have')} such trouble, too" if others else ""
        text = f"{name} is served in this cluster, but {next(newest.words())}{more}."
        return Headline("problem", text)
    well = f"All well: {_many(len(services), 'is', 'are')} served in this cluster"
    if alone := sum(map(lacks_standby, services)):
        return Headline("mixed", f"{well}, but {_many(alone, 'has', 'have')} no standby.")
    return Headline("local", f"{well}, and another would take over.")


def _served(service: Mapping[str, Any]) -> str:
    if service["serving"] and service["mode"] in {Mode.FAILOVER, Mode.REMOTE}:
        return f"served by {service['serving'][0]}"
    return _MEANS[service["mode"]]


def _starting(service: Mapping[str, Any]) -> str | None:
    if (starting := service["starting"]) is None:
        return None
    return f": starting, {starting['probes']} of {starting['needed']} probes"


def seconds(value: float | None) -> str:
    """Write a duration for a person."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.3g} ms" if value < 0.1 else f"{value * 1000:.0f} ms"  # noqa: PLR2004
    if value < _MINUTE:
        return f"{value:.2f} s"
    return span(value)


def span(value: float) -> str:
    """Write a duration coarsely: the two largest units that matter."""
    whole = max(0, int(value))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def size(value: float) -> str:
    """Write a number of bytes for a person."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < _KILO:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _KILO
    return f"{value:.1f} TB"


def clock(unix: float, now: float) -> str:
    """Write a moment as UTC, with its date if *now* is another day."""
    at = datetime.fromtimestamp(unix, UTC)
    today = at.date() == datetime.fromtimestamp(now, UTC).date()
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def date(unix: float) -> str:
    """Write a moment as machines do."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")


def _many(number: int, one: str, more: str) -> str:
    return f"{number} service {one}" if number == 1 else f"{number} services {more}"


def _rendered(values: dict[str, Any]) -> str:
    template = _template()
    context = template.new_context(values)
    text = "".join(template.root_render_func(context))
    # Else the macros of the page and the context, which holds the whole status, refer to each other
    # until the garbage collector looks at old objects.
    context.vars.clear()
    return text


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2's own
    # Most exporters are only ever scraped, and never hold the 2 MB of it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": seconds,
        "span": span,
        "size": size,
        "clock": clock,
        "date": date,
    }
    return environment.get_template("page.html.j2")
