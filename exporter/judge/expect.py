"""What a clusterset name should answer, and whether a probe shows that it does."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.model import Failure, Inventory, NameKind, Policy, Probe, Question, Rule

# The share of honest samples that a spread check may call unfair.
SPREAD_LEVEL = 0.001
SPREAD_ANSWERS_EACH = 25
"""Answers wanted for each eligible cluster before one spread check is made."""


class Outcome(StrEnum):
    """How a name server may answer."""

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The right answer to a question: its kind and, for an address, whose it may be."""

    outcome: Outcome
    clusters: frozenset[str] = frozenset()


def expect(inventory: Inventory, question: Question, policy: Policy) -> Expectation:
    """
    Say what Lighthouse should answer to *question*.

    A plain name is answered by the local cluster while it exports the service and is ready,
    whatever its gateway says; else by any ready cluster that is connected; else with no data.
    A pinned name is answered even if its cluster is neither ready nor connected.

    With `Policy.SPREAD` every ready and connected cluster is right.

    Source: Lighthouse 0.15 to 0.20, "coredns/resolver/resolver.go" and "service_info.go".
    """
    service = inventory.services.get(question.service)
    if service is None:
        return Expectation(Outcome.NXDOMAIN)
    if question.pinned is not None:
        known = service.export_of(question.pinned) is not None
        return _answer_of({question.pinned}) if known else Expectation(Outcome.NXDOMAIN)
    ready = {export.cluster for export in service.exports if export.ready}
    if inventory.local in ready and policy is Policy.LOCAL:
        return _answer_of({inventory.local})
    return _answer_of(ready & inventory.connected)


def check(
    inventory: Inventory, expected: Expectation, probe: Probe, destination: str | None
) -> Iterator[tuple[Rule, bool]]:
    """
    Yield each rule that *probe* can check, and whether it held.

    Args:
        inventory: The clusterset as it was when the probe ran.
        expected: What `expect` says to the probe's question.
        probe: What was seen.
        destination: The cluster that owns the answered address, or None.
    """
    if expected.outcome is not Outcome.ANSWER or probe.answer.failure is Failure.RESOURCE:
        return
    resolved = bool(probe.answer.addresses)
    yield Rule.RESOLVES, resolved
    if not resolved:
        return
    if probe.question.kind is NameKind.PINNED:
        yield Rule.PINS, destination == probe.question.pinned
    else:
        yield from _check_plain(inventory, expected, destination)
    reply = probe.reply
    if (
        reply is not None
        and reply.failure not in {Failure.RESOURCE, Failure.NO_PORT}
        and _should_serve(inventory, probe.question, destination)
    ):
        yield Rule.REACHABLE, reply.failure is None


def is_fair(counts: Sequence[int], level: float = SPREAD_LEVEL) -> bool:
    """Say whether answers spread like this over clusters may come from an even choice."""
    mean = sum(counts) / len(counts)
    statistic = sum((count - mean) ** 2 / mean for count in counts)
    return _chi_square_tail(statistic, len(counts) - 1) >= level


def _answer_of(clusters: set[str] | frozenset[str]) -> Expectation:
    return Expectation(Outcome.ANSWER if clusters else Outcome.NODATA, frozenset(clusters))


def _check_plain(
    inventory: Inventory, expected: Expectation, destination: str | None
) -> Iterator[tuple[Rule, bool]]:
    local = inventory.local
    if expected.clusters == {local}:
        yield Rule.LOCAL_FIRST, destination == local
    elif local not in expected.clusters:
        yield Rule.FAILS_OVER, destination in expected.clusters
    if destination is not None and destination != local:
        yield Rule.CONNECTED_ONLY, destination in inventory.connected


def _should_serve(inventory: Inventory, question: Question, destination: str | None) -> bool:
    # Pinned names are answered for clusters that are down, too: that they do not reply is no news.
    if destination is None:
        return True
    export = inventory.services[question.service].export_of(destination)
    return export is not None and export.ready and destination in inventory.connected


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Return P(X >= statistic) of the chi-square distribution: a finite sum for whole degrees."""
    half = statistic / 2
    if freedom % 2:
        tail, term = math.erfc(math.sqrt(half)), math.exp(-half) / math.sqrt(math.pi * half or 1)
        steps = [k + 0.5 for k in range(freedom // 2)]
    else:
        term = tail = math.exp(-half)
        steps = [float(k) for k in range(1, freedom // 2)]
    for step in steps:
        term *= half / step
        tail += term
    return tail
