"""Explains one look at a service in words: what is right, what is wrong, and why."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from exporter.judge.claims import overlapping_clusters
from exporter.judge.expect import check, expect
from exporter.judge.hazards import hazards
from exporter.judge.report import CheckLine, Level, Report
from exporter.model.clusterset import UNKNOWN, Inventory, Profile, Service, is_invalid
from exporter.model.probes import Failure, Probe, Question, Record
from exporter.model.traffic import Hits
from exporter.model.verdicts import HAZARD_MEANS, Hazard, Policy, Rule

_BROKEN = {
    Rule.RESOLVES: "should have an answer",
    Rule.LOCAL_FIRST: "should stay in this cluster",
    Rule.FAILS_OVER: "should lead to a cluster that can serve",
    Rule.CONNECTED_ONLY: "leads to a cluster without a tunnel",
    Rule.PINS: "should lead to the cluster it names",
    Rule.REACHABLE: "should be served there",
    Rule.SPREADS: "should be spread evenly",
}


def explain(
    inventory: Inventory,
    service: Service,
    policy: Policy,
    *,
    plain: Mapping[str, Probe],
    pinned: Sequence[Probe],
    logs: Mapping[str, Mapping[str, Hits]],
    domain: str,
    replicas: Mapping[str, Probe] = MappingProxyType({}),
    hostless: str = "",
) -> Report:
    """
    Return a report in words about one look at *service*.

    Args:
        inventory: The clusterset as the local cluster sees it, with *service* in it.
        service: The service.
        policy: Whether its clients should stay in their cluster.
        plain: A probe of the plain name by each name server.
        pinned: A probe of each pinned name; empty if they are not probed.
        logs: For each access log of the local cluster, the newest client requests by source.
        domain: The zone of the names.
        replicas: A look-up of the plain name by each replica of the clusterset's name server.
        hostless: Which log of the service here has no host of requests, and what would mend it.
    """
    right = _right(inventory, policy, plain)
    findings = [*_exports(inventory, service)]
    findings += _vantages(inventory, service, policy, plain, domain)
    findings += _stuck(service, right, replicas)
    findings += (_pinned(inventory, service, probe, _name(probe, domain)) for probe in pinned)
    standbys = set(_standbys(inventory, service, pinned)) - {serving := _serving(service, plain)}
    findings += (_log(inventory, service, name, by) for name, by in logs.items())
    findings += _hazards(inventory, service, policy, pinned=bool(pinned), hostless=hostless)
    findings += _lone(service, serving, standbys, pinned)
    verdict = _verdict(inventory, service, policy, right, serving, standbys)
    return Report(service.name, tuple(findings), serving, frozenset(standbys), verdict)


def why(inventory: Inventory, service: Service, policy: Policy, record: Record = Record.A) -> str:
    """Return in words what clients in the local cluster should get, and why."""
    right = expect(inventory, Question(service.name, None, record), policy).clusters
    export = service.export_of(inventory.local)
    others = " or ".join(sorted(right)) or "nobody"
    reasons = {
        "one address for the whole clusterset, which does not tell who serves": UNKNOWN in right,
        f"policy spread: {others} may answer": policy is Policy.SPREAD,
        f"headless: no cluster is preferred, and {others} should be in the answer": (
            service.headless
        ),
        f"no cluster is preferred by {inventory.profile}: {others} may answer": (
            inventory.profile is not Profile.SUBMARINER
        ),
        f"not exported here, so {others} should answer": export is None,
        "exported here and ready, so clients should stay in this cluster": (
            export is not None and export.ready
        ),
        "not ready here, and no ready cluster can be reached, so there should be no answer": (
            not right
        ),
        "not ready here, but this old Lighthouse counts endpoints that are not": (
            right == {inventory.local}
        ),
    }
    first = next((reason for reason, holds in reasons.items() if holds), None)
    return first or f"not ready here, so {others} should answer"


def _right(inventory: Inventory, policy: Policy, plain: Mapping[str, Probe]) -> frozenset[str]:
    question = next(probe.question for probe in plain.values())
    return expect(inventory, question, policy).clusters


def _vantages(
    inventory: Inventory, service: Service, policy: Policy, plain: Mapping[str, Probe], domain: str
) -> Iterator[CheckLine]:
    for vantage, probe in plain.items():
        about = f"{_name(probe, domain)} at {vantage}"
        yield from _plain(inventory, service, policy, probe, about)
    answers = {probe.answer.addresses for probe in plain.values()}
    # Where several clusters are right, each of them may answer.
    if len(answers) > 1 and len(_right(inventory, policy, plain)) <= 1:
        yield CheckLine(Level.WARN, "name servers", "do not agree")


def _serving(service: Service, plain: Mapping[str, Probe]) -> str | None:
    served = next((probe for probe in plain.values() if probe.failure is None), None)
    return None if served is None else service.destination_of(served.answer.addresses)


def _lone(
    service: Service, serving: str | None, standbys: set[str], pinned: Sequence[Probe]
) -> Iterator[CheckLine]:
    if serving is not None and pinned and not standbys and len(service.exports) > 1:
        yield CheckLine(Level.WARN, "standby", "nobody would take over")


def _stuck(
    service: Service, right: frozenset[str], replicas: Mapping[str, Probe]
) -> Iterator[CheckLine]:
    for replica, probe in replicas.items():
        # A replica that does not reply may be out of reach of whoever checks.
        told = probe.answer.failure in {None, Failure.NODATA, Failure.NXDOMAIN}
        owner = service.destination_of(probe.answer.addresses)
        if told and right and owner not in right:
            text = (
                f"answers {owner or 'nobody'} where {' or '.join(sorted(right))} is right; if this "
                "lasts, the replica is stuck: restart it"
            )
            yield CheckLine(Level.FAIL, f"name server replica {replica}", text)


def _standbys(inventory: Inventory, service: Service, pinned: Sequence[Probe]) -> Iterator[str]:
    for probe in pinned:
        cluster = probe.question.pinned or ""
        if _serves(service, probe, cluster) and _can_serve(inventory, service, cluster):
            yield cluster


def _serves(service: Service, probe: Probe, cluster: str) -> bool:
    return probe.failure is None and _owner(service, probe) == cluster


def _name(probe: Probe, domain: str) -> str:
    return probe.question.dns_name(domain)


def _can_serve(inventory: Inventory, service: Service, cluster: str) -> bool:
    export = service.export_of(cluster)
    return export is not None and export.ready and cluster in inventory.connected


def _exports(inventory: Inventory, service: Service) -> Iterator[CheckLine]:
    for cluster in inventory.clusters:
        export, here = service.export_of(cluster), cluster == inventory.local
        about = f"{cluster} (here)" if here else cluster
        if export is None:
            yield CheckLine(Level.OK, about, "does not export it")
            continue
        tunnel = cluster in inventory.connected
        told = "exports it, " + ("ready" if export.ready else "not ready")
        told += "" if here else ", connected" if tunnel else ", not connected"
        level = Level.OK if export.ready and tunnel else Level.WARN
        if here and (refused := _refused(service)):
            told += f"; {refused}"
            level = Level.WARN if export.ready else Level.FAIL
        elif not export.named:
            told += "; the name server knows nothing of this export"
        yield CheckLine(level, about, told)


def _refused(service: Service) -> str:
    """Return which conditions of the local ServiceExport say that it does not work."""
    refusals = [each for each in service.conditions if is_invalid([each])]
    why = ", ".join(
        f"{each.type}=False" + (f" ({each.reason})" if each.reason else "") for each in refusals
    )
    return why and f"its ServiceExport is refused: {why}"


def _plain(
    inventory: Inventory, service: Service, policy: Policy, probe: Probe, about: str
) -> Iterator[CheckLine]:
    expected = expect(inventory, probe.question, policy)
    owner = _owner(service, probe)
    broken = [rule for rule, kept in check(inventory, expected, probe) if not kept]
    stays = owner == inventory.local or expected.whole
    level = Level.OK if stays else Level.WARN
    if broken or probe.failure is not None:
        level = Level.FAIL
    told = f"{_seen(service, probe)}; {why(inventory, service, policy, probe.question.record)}"
    told += "".join(f"; {_BROKEN[rule]} ({rule})" for rule in broken)
    yield CheckLine(level, about, told)


def _pinned(inventory: Inventory, service: Service, probe: Probe, about: str) -> CheckLine:
    cluster = probe.question.pinned or ""
    told = _seen(service, probe)
    if _serves(service, probe, cluster):
        return CheckLine(Level.OK, about, told)
    if _can_serve(inventory, service, cluster):
        return CheckLine(Level.WARN, about, f"{told}; ready and connected, and would not serve")
    return CheckLine(Level.OK, about, f"{told}; not expected to serve")


def _log(
    inventory: Inventory, service: Service, name: str, requests: Mapping[str, Hits]
) -> CheckLine:
    if not requests:
        return CheckLine(Level.OK, name, "no client request among the newest lines")
    crossed = [
        source
        for source in sorted(requests)
        if source != inventory.local and _can_serve(inventory, service, source)
    ]
    told = "newest client requests: " + ", ".join(
        f"{hits.requests} from {source}" + (f", {hits.failures} with 5xx" if hits.failures else "")
        for source, hits in sorted(requests.items())
    )
    for source in crossed:
        told += f"; {source} is ready itself now"
    failing = any(hits.failures for hits in requests.values())
    return CheckLine(Level.WARN if crossed or failing else Level.OK, name, told)


def _hazards(
    inventory: Inventory, service: Service, policy: Policy, *, pinned: bool, hostless: str
) -> Iterator[CheckLine]:
    found = hazards(
        inventory,
        service,
        overlapping_clusters(inventory),
        pinned=pinned,
        policy=policy,
        hostless=bool(hostless),
    )
    for hazard in sorted(found):
        means = hostless if hazard is Hazard.NO_HOST_IN_LOG else HAZARD_MEANS[hazard]
        yield CheckLine(Level.WARN, hazard, means)


def _owner(service: Service, probe: Probe) -> str | None:
    addresses = probe.answer.addresses
    return service.owner_of(addresses[0]) if addresses else None


def _seen(service: Service, probe: Probe) -> str:
    answer, reply = probe.answer, probe.reply
    if not answer.addresses:
        return f"no address ({answer.failure}, {answer.rcode or 'no reply'})"
    owner = _owner(service, probe) or "nobody's"
    told = f"{answer.addresses[0]} ({owner})"
    if answer.failure is not None or reply is None:
        return told if answer.failure is None else f"{told}, {answer.failure}"
    return f"{told}, " + (
        f"replied {reply.status}" if reply.failure is None else f"{reply.failure}"
    )


def _verdict(
    inventory: Inventory,
    service: Service,
    policy: Policy,
    right: frozenset[str],
    serving: str | None,
    standbys: set[str],
) -> str:
    name = service.name
    if serving is None:
        return f"{name} is served to nobody in {inventory.local}."
    then = (
        f"{' and '.join(sorted(standbys))} would take over"
        if standbys
        else "nobody would take over"
    )
    if serving == UNKNOWN and serving in right:
        return f"{name} is served; its address does not tell by which cluster; {then}."
    if serving not in right:
        should = " or ".join(sorted(right)) or "nobody"
        return f"{name} is served by {serving} where {should} should serve; {then}."
    moved = serving != inventory.local and service.export_of(inventory.local) is not None
    how = "a failover" if moved and policy is Policy.LOCAL else "as it should be"
    return f"{name} is served by {serving}, {how}; {then}."
