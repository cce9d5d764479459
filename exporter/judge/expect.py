"""Computes the right answer to a clusterset name, and checks whether a probe shows it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from exporter.judge.versions import (
    answers_clusterset_ips,
    counts_not_ready_endpoints,
    ignores_unknown_names,
    knows_ipv6,
)
from exporter.model.clusterset import UNKNOWN, Address, Export, Inventory, Profile, Service
from exporter.model.probes import Failure, NameKind, Probe, Question, Record
from exporter.model.verdicts import Policy, Rule


class Outcome(StrEnum):
    """How a name server may answer."""

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SILENCE = "silence"
    """No reply: an old Lighthouse does this instead of NXDOMAIN."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The answers to a question that are right."""

    outcome: Outcome
    clusters: frozenset[str] = frozenset()
    """The clusters whose addresses may be answered; `UNKNOWN` if an address does not show its
    cluster."""
    addresses: frozenset[Address] = frozenset()
    """The addresses that may be in the answer."""
    whole: bool = False
    """The answer contains all addresses, not only those of one cluster."""
    others: frozenset[Outcome] = frozenset()
    """Other outcomes that may also be right, because not everything is known."""


def expect(inventory: Inventory, question: Question, policy: Policy) -> Expectation:
    """
    Return what the name server of *inventory*'s local cluster should answer to *question*.

    With Submariner's Lighthouse, a plain name is answered with the local cluster while that
    exports the service and is ready. Its gateway does not matter. Otherwise the answer is any ready
    cluster that Lighthouse counts as connected, or no data. A pinned name is answered even if its
    cluster is neither ready nor connected. A plain name of a headless service is answered with the
    addresses of all ready clusters, and none is preferred. A service that has clusterset IPs is
    answered with those (0.19 and later).

    With Cilium and GKE, a service has one address in the whole clusterset. No cluster is preferred,
    and there are no pinned names.

    With `Policy.SPREAD` every ready and connected cluster is right.

    Source: Lighthouse 0.12 to 0.21, "coredns/resolver/resolver.go", "service_info.go" and
    "plugin/handler.go"; the Multi-Cluster Services API, "DNS" (KEP-1645).
    """
    service = inventory.services.get(question.service)
    if service is None or not service.named:
        return _no_name(inventory, question)
    if inventory.profile is not Profile.SUBMARINER:
        return _merged(inventory, service, question)
    if question.pinned is not None:
        export = service.export_of(question.pinned)
        if export is None or not export.named:
            return _no_name(inventory, question)
        answers = not service.headless or _answers_headless(export)
        return _answer(inventory, question, [export] if answers else [])
    if service.clusterset_ips and answers_clusterset_ips(inventory.version):
        return _shared(question, service.clusterset_ips)
    exports = list(_eligible(inventory, service, policy))
    return _answer(inventory, question, exports, whole=service.headless)


def prefers_nobody(inventory: Inventory, service: Service, policy: Policy) -> bool:
    """
    Return whether the name server gives clients of a ready cluster other clusters, too.

    Then a request that crosses is by design: `policy: spread`, a headless service, a clusterset IP,
    Cilium, GKE, and a Lighthouse that does not know its own cluster.
    """
    shared = bool(service.clusterset_ips) and answers_clusterset_ips(inventory.version)
    return (
        policy is Policy.SPREAD
        or service.headless
        or shared
        or inventory.profile is not Profile.SUBMARINER
        or not inventory.knows_local
    )


def _eligible(inventory: Inventory, service: Service, policy: Policy) -> Iterator[Export]:
    local = service.export_of(inventory.local)
    healthy = _answers_headless if service.headless else lambda each: _is_healthy(inventory, each)
    stays = policy is Policy.LOCAL and inventory.knows_local and not service.headless
    if stays and local is not None and healthy(local):
        yield local
        return
    for export in service.exports:
        if healthy(export) and export.cluster in inventory.answered:
            yield export


def _is_healthy(inventory: Inventory, export: Export) -> bool:
    if export.backed is None or not counts_not_ready_endpoints(inventory.version):
        return export.ready
    return export.backed


def _answers_headless(export: Export) -> bool:
    # Addresses may be published before they are ready; then `backed` is True.
    return bool(export.addresses) and (export.ready or export.backed is True)


def is_silent(inventory: Inventory) -> bool:
    """Return whether this Lighthouse does not reply, instead of NXDOMAIN."""
    submariner = inventory.profile is Profile.SUBMARINER
    return submariner and ignores_unknown_names(inventory.version)


def _no_name(inventory: Inventory, question: Question) -> Expectation:
    if is_silent(inventory):
        return Expectation(Outcome.SILENCE)
    # From 0.21 on, a cluster without IPv6 answers no data before it looks up the name.
    unsure = question.record is Record.AAAA and knows_ipv6(inventory.version)
    others = frozenset({Outcome.NODATA} if unsure else ())
    return Expectation(Outcome.NXDOMAIN, others=others)


def _answer(
    inventory: Inventory, question: Question, exports: Iterable[Export], *, whole: bool = False
) -> Expectation:
    by_cluster = {each.cluster: _of_type(question, each.addresses) for each in exports}
    if question.record is Record.AAAA and not knows_ipv6(inventory.version):
        by_cluster = {}
    clusters = frozenset(cluster for cluster, addresses in by_cluster.items() if addresses)
    if not clusters:
        return Expectation(Outcome.NODATA)
    addresses = frozenset[Address]().union(*by_cluster.values())
    return Expectation(Outcome.ANSWER, clusters, addresses, whole=whole)


def _shared(question: Question, addresses: Iterable[Address]) -> Expectation:
    held = frozenset(_of_type(question, addresses))
    if not held:
        return Expectation(Outcome.NODATA)
    return Expectation(Outcome.ANSWER, frozenset({UNKNOWN}), held, whole=True)


def _merged(inventory: Inventory, service: Service, question: Question) -> Expectation:
    if question.pinned is not None:
        return Expectation(Outcome.NXDOMAIN)
    if service.clusterset_ips:
        return _shared(question, service.clusterset_ips)
    ready = [export for export in service.exports if export.ready]
    return _answer(inventory, question, ready, whole=service.headless)


def _of_type(question: Question, addresses: Iterable[Address]) -> tuple[Address, ...]:
    version = 4 if question.record is Record.A else 6
    return tuple(address for address in addresses if address.version == version)


def check(inventory: Inventory, expected: Expectation, probe: Probe) -> Iterator[tuple[Rule, bool]]:
    """
    Yield each rule that *probe* can check, and whether it was kept.

    Args:
        inventory: The clusterset as it was when the probe ran.
        expected: The result of `expect` for the question of the probe.
        probe: The probe.
    """
    if expected.outcome is not Outcome.ANSWER or probe.answer.failure is Failure.RESOURCE:
        return
    service, answered = inventory.services[probe.question.service], probe.answer.addresses
    shared = UNKNOWN in expected.clusters
    yield Rule.RESOLVES, bool(answered) and not (shared and set(answered) - expected.addresses)
    if not answered:
        return
    owners = {service.owner_of(address) for address in answered}
    if probe.question.kind is NameKind.PINNED:
        yield Rule.PINS, owners == {probe.question.pinned}
    elif not shared:
        yield from _check_plain(inventory, expected, owners)
    reply = probe.reply
    # Submariner answers clusterset IPs but does not route them, so it promises no reply.
    routed = not shared or inventory.profile is not Profile.SUBMARINER
    if (
        reply is not None
        and routed
        and reply.failure not in {Failure.RESOURCE, Failure.NO_PORT}
        and _should_serve(inventory, probe.question, service.owner_of(reply.address))
    ):
        yield Rule.REACHABLE, reply.failure is None


def _check_plain(
    inventory: Inventory, expected: Expectation, owners: set[str | None]
) -> Iterator[tuple[Rule, bool]]:
    local = inventory.local
    if expected.clusters == {local}:
        yield Rule.LOCAL_FIRST, owners == {local}
    elif local not in expected.clusters:
        yield Rule.FAILS_OVER, owners <= expected.clusters
    remote = owners - {local, None}
    if remote:
        yield Rule.CONNECTED_ONLY, remote <= inventory.connected


def _should_serve(inventory: Inventory, question: Question, destination: str | None) -> bool:
    # Pinned names are also answered for clusters that are down, so no reply is expected of those.
    if destination is None:
        return True
    export = inventory.services[question.service].export_of(destination)
    return export is not None and export.ready and destination in inventory.connected
