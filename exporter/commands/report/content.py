"""What the page says, out of the facts; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.commands.report.facts import GAP, Coverage, Facts, ReportedMove
from exporter.commands.report.figures import GIGA, moment, number, seconds, share, total
from exporter.commands.report.page import PageSection, PageTable, Plot, ReportPage, bounded
from exporter.commands.report.samples import Counted
from exporter.model.clusterset import NOT_CLUSTERS
from exporter.model.verdicts import FailoverStage, Locality

REQUESTS_PLOT = Plot("requests", "Requests a second, by locality")
CROSSING_PLOT = Plot("crossing", "Bytes a second between clusters")
MOVES_PLOT = Plot("failovers", "Duration of each failover, in seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTerms:
    """What the operator promised, and pays."""

    objective: float
    """The share of time in which clients are served, from 0 to 1."""
    price: float | None
    """Of a gigabyte (10^9 bytes) between clusters."""


def report_page(facts: Facts, terms: ReportTerms) -> ReportPage:
    """Return the page."""
    days = (facts.until - facts.since) / 86400
    length = f"{days:.1f} days" if days >= 1 else f"{(facts.until - facts.since) / 60:.0f} minutes"
    return ReportPage(
        title=f"Clusterset report: {length} until {moment(facts.until)}",
        sections=(
            PageSection("Summary", tuple(_summary(facts, terms))),
            PageSection("Who was served where", tuple(_locality(facts))),
            PageSection("Leaks", tuple(_leaks(facts.requests))),
            PageSection("Failovers", tuple(_moves(facts))),
            PageSection("Outages", tuple(_outages(facts, terms))),
            PageSection("Traffic between clusters", tuple(_crossing(facts, terms))),
            PageSection("How these figures are made", tuple(_method(facts))),
        ),
    )


def _summary(facts: Facts, terms: ReportTerms) -> Iterator[str | PageTable]:
    requests, exact = total(facts.requests)
    local, _ = total(_of(facts.requests, Locality.LOCAL))
    leaks, leaks_exact = total(_of(facts.requests, Locality.LEAK))
    outages = list(_outage_rows(facts, terms))
    met = sum(row[-1] == "met" for _, row in outages)
    rows = [
        ("Requests of clients", number(requests, exact=exact)),
        ("Served by the client's own cluster", share(local, requests)),
        ("Leaked requests", number(leaks, exact=leaks_exact)),
        ("Failovers and failbacks", _number_of_moves(facts)),
        (
            f"Objective of {100 * terms.objective:g} % met",
            f"{met} of {len(outages)}, by service and cluster of the clients",
        ),
    ]
    if terms.price is not None:
        rows.append(("Cost of traffic between clusters", f"{_crossed(facts) * terms.price:,.2f}"))
    yield PageTable(head=("", ""), rows=tuple(rows), numbers=frozenset({1}))
    for each in facts.coverage:
        if each.gaps or each.first - facts.since > _late(facts):
            yield (
                f"Data of {each.cluster} is incomplete: see the end of this page. What happened "
                "meanwhile is not in these figures."
            )


def _locality(facts: Facts) -> Iterator[str | PageTable | Plot]:
    if not facts.requests:
        yield "No request of a client was counted: no log is read, or nobody came."
        return
    by: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for each in facts.requests:
        by[_service(each), each.labels.get("source_cluster", "")].append(each)
    failures: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for each in facts.failures:
        failures[_service(each), each.labels.get("source_cluster", "")].append(each)
    shown = [each for each in Locality if any(c.value for c in _of(facts.requests, each))]
    rows = []
    for (service, source), counts in sorted(by.items()):
        requests, exact = total(counts)
        parts = (share(total(_of(counts, each))[0], requests) for each in shown)
        failed = share(total(failures[service, source])[0], requests)
        row = (service, source, number(requests, exact=exact), *parts, failed)
        rows.append((requests, row))
    head = ("Service", "Clients in", "Requests", *map(str, shown), "5xx")
    yield from bounded(head, rows, range(2, len(head)), "with the most requests")
    yield REQUESTS_PLOT


def _leaks(requests: Iterable[Counted]) -> Iterator[str | PageTable]:
    found = list(requests)
    leaks = [each for each in _of(found, Locality.LEAK) if each.value]
    if not leaks:
        yield "None was counted."
        return
    yield (
        "A leak is a request that another cluster served although the client's own cluster was "
        "ready."
    )
    whole: dict[tuple[str, str], float] = defaultdict(float)
    for each in found:
        whole[_service(each), each.labels.get("source_cluster", "")] += each.value
    rows = []
    for (service, source, destination), counts in _grouped(leaks):
        leaked, exact = total(counts)
        part = share(leaked, whole[service, source])
        row = (service, source, destination, number(leaked, exact=exact), part)
        rows.append((leaked, row))
    head = ("Service", "Clients in", "Served by", "Requests", "Share of all of them")
    yield from bounded(head, rows, (3, 4), "with the most leaks")


def _moves(facts: Facts) -> Iterator[str | PageTable | Plot]:
    if not facts.moves and not facts.moves_counted:
        yield "None was counted."
        return
    if facts.moves:
        head = ("When", "Service", "Seen from", "From", "To", "Reason", *map(str, FailoverStage))
        rows = [(each.unix, _move_row(each)) for each in facts.moves]
        yield from bounded(head, rows, (6, 7, 8), "that are the newest")
    missing = round(facts.moves_counted) - len(facts.moves)
    if missing > 0:
        yield (
            f"Counted and not in this list: {missing}. When they were is not known: a scrape shows "
            "only the newest one."
        )
    if missing < 0:
        yield f"{-missing} of them were not counted in that time, or before the first sample."
    if facts.moves_left_out:
        yield (
            f"Too many services moved. Moves of {facts.moves_left_out:,} more, each seen from one "
            "cluster, are not counted here; their newest ones are older."
        )
    yield MOVES_PLOT


def _number_of_moves(facts: Facts) -> str:
    least = "at least " if facts.moves_left_out else ""
    return f"{least}{number(max(facts.moves_counted, len(facts.moves)))}"


def _move_row(move: ReportedMove) -> tuple[str, ...]:
    return (
        moment(move.unix),
        move.service,
        move.source,
        move.from_cluster or "not known",
        move.to_cluster or "not known",
        move.reason or "not known",
        *(seconds(move.durations.get(stage)) for stage in FailoverStage),
    )


def _outages(facts: Facts, terms: ReportTerms) -> Iterator[str | PageTable]:
    rows = [(out, row) for out, row in _outage_rows(facts, terms)]
    if not rows:
        yield "No service was probed."
        return
    head = ("Service", "Clients in", "Outage, min", "Allowed, min", "Served", "Objective")
    yield from bounded(head, rows, (2, 3, 4), "with the longest outages")
    yield (
        f"Allowed is {100 * (1 - terms.objective):.3g} % of the time for which there is data. "
        "An outage is time in which confirmed probes found no cluster that serves."
    )


def _outage_rows(facts: Facts, terms: ReportTerms) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Yield the seconds of each outage, and its row."""
    observed = {each.cluster: each.observed for each in facts.coverage}
    by: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for each in facts.outages:
        by[_service(each), each.labels.get("source_cluster", "")].append(each)
    for (service, source), counts in sorted(by.items()):
        out, exact = total(counts)
        known = observed.get(source, 0.0)
        mark = "" if exact else "≈ "
        if known <= 0:
            yield out, (service, source, f"{mark}{out / 60:.2f}", "-", "-", "not known")
            continue
        allowed = known * (1 - terms.objective)
        met = "met" if out <= allowed else "missed"
        served = share(max(0.0, known - out), known)
        long, most = f"{mark}{out / 60:.2f}", f"{allowed / 60:.2f}"
        yield out, (service, source, long, most, served, met)


def _crossing(facts: Facts, terms: ReportTerms) -> Iterator[str | PageTable | Plot]:
    crossing = list(_crossings(facts))
    if not crossing:
        yield "None was counted."
        return
    priced = terms.price is not None
    rows = []
    for (service, source, destination), counts in _grouped(crossing):
        size, exact = total(counts)
        cost = (f"{size / GIGA * (terms.price or 0):,.2f}",) if priced else ()
        mark = "" if exact else "≈ "
        row = (service, source, destination, f"{mark}{size / GIGA:,.6f}", *cost)
        rows.append((size, row))
    head = ("Service", "Clients in", "Served by", "GB", *(("Cost",) if priced else ()))
    yield from bounded(head, rows, (3, 4), "with the most bytes")
    yield (
        "GB are 10^9 bytes of response bodies, as the logs say. Requests, headers and encryption "
        "come on top."
    )
    yield CROSSING_PLOT


def _method(facts: Facts) -> Iterator[str | PageTable]:
    yield (
        f"Everything is asked of {facts.title}, from {moment(facts.since)} to "
        f"{moment(facts.until)}. Series that differ only in labels of the target, such as pod and "
        "instance, are added: a second Prometheus with the same targets would count twice."
    )
    yield (
        "Counts are differences of samples, over resets too, and not extrapolated. Where too many "
        "counters were reset, a count is Prometheus' increase(), which extrapolates, and is marked "
        "with ≈. A counter of a process that began before this time counts from its first sample. "
        "What a process counted after its last scrape is in no figure."
    )
    yield f"Counters that were reset in this time: {facts.resets}."
    yield PageTable(
        head=("Data of", "From", "To", "Without data"),
        rows=tuple(_coverage_row(each) for each in facts.coverage),
    )
    step = max(GAP, (facts.until - facts.since) / 1000) / 60
    yield f"Told is a time without data of more than {step:.0f} to {2 * step:.0f} minutes."
    for each in facts.warnings:
        yield f"Prometheus warned: {each}"


def _coverage_row(each: Coverage) -> tuple[str, ...]:
    gaps = "; ".join(f"{moment(start)} to {moment(end)}" for start, end in each.gaps[:10])
    more = f"; and {len(each.gaps) - 10} more" if len(each.gaps) > 10 else ""  # noqa: PLR2004
    return each.cluster, moment(each.first), moment(each.last), f"{gaps}{more}" or "never"


def _late(facts: Facts) -> float:
    """Return by how much the first sample may come later than the window."""
    return max(600.0, (facts.until - facts.since) / 100)


def _crossings(facts: Facts) -> Iterator[Counted]:
    for each in facts.bytes:
        source = each.labels.get("source_cluster", "")
        here = source == each.labels.get("destination_cluster")
        if each.value and not here and source not in NOT_CLUSTERS:
            yield each


def _crossed(facts: Facts) -> float:
    return total(_crossings(facts))[0] / GIGA


def _of(counts: Iterable[Counted], locality: Locality) -> list[Counted]:
    return [each for each in counts if each.labels.get("locality") == locality]


def _service(each: Counted) -> str:
    namespace = each.labels.get("destination_service_namespace", "")
    return f"{namespace}/{each.labels.get('destination_service_name', '')}"


def _grouped(counts: Iterable[Counted]) -> list[tuple[tuple[str, str, str], list[Counted]]]:
    by: dict[tuple[str, str, str], list[Counted]] = defaultdict(list)
    for each in counts:
        source = each.labels.get("source_cluster", "")
        by[_service(each), source, each.labels.get("destination_cluster", "")].append(each)
    return sorted(by.items())
