"""What the page and `/api/v1/status` show: one dictionary, in base units and unix time."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from exporter.metrics.record_probes import LookupCounts
from exporter.model.clusterset import Inventory, Service, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe, Question
from exporter.model.traffic import Hits, LogCounts
from exporter.model.verdicts import Failover, FailoverStage, Locality, ServiceView

AT_ONCE = 20
"""Services between two turns of the event loop: about a millisecond of work."""
Requests = Mapping[ServiceName, list[tuple[str, Locality, Hits]]]
RecentHits = Mapping[tuple[ServiceName, str, Locality], Hits]
_NONE = Hits()


async def status(
    *,
    inventory: Inventory | None,
    views: Iterable[ServiceView],
    requests: Requests,
    recent: RecentHits,
    lookups: Mapping[ServiceName, list[LookupCounts]],
    failovers: Iterable[Failover],
    failed: Iterable[tuple[Probe, str | None]],
    lines: LogCounts | None,
    domain: str,
    now: Moment,
) -> dict[str, Any]:
    """
    Return what there is to show of clusters, services and the newest events.

    Other work runs after every AT_ONCE services, because a thousand take tens of milliseconds.
    """
    shown: dict[str, Any] = {"clusters": [], "services": [], "failovers": [], "failed_probes": []}
    shown["logs"] = None if lines is None else {"lines": _lines(lines)}
    if inventory is None:
        return shown
    shown["clusters"] = [
        {"id": id_, "local": id_ == inventory.local, "connected": id_ in inventory.connected}
        for id_ in inventory.clusters
    ]
    shown["services"] = [
        _service(view, inventory, domain, now)
        | _requests(view.service.name, requests, recent)
        | {"lookups": [each._asdict() for each in lookups.get(view.service.name, ())]}
        async for view in _in_turns(views)
    ]
    known = inventory.services
    shown["failovers"] = [_failover(each) for each in failovers if each.service in known]
    shown["failed_probes"] = [
        _probe(probe, destination, domain)
        for probe, destination in failed
        if probe.question.service in known
    ]
    return shown


async def _in_turns(views: Iterable[ServiceView]) -> AsyncIterator[ServiceView]:
    for number, view in enumerate(views, 1):
        yield view
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)


def _service(view: ServiceView, inventory: Inventory, domain: str, now: Moment) -> dict[str, Any]:
    service = view.service
    destination = None
    if view.plain is not None and view.plain.answer.addresses:
        destination = service.owner_of(view.plain.answer.addresses[0])
    return {
        "namespace": service.name.namespace,
        "name": service.name.name,
        "dns_name": Question(service.name).dns_name(domain),
        "policy": view.policy,
        "mode": view.mode,
        "mode_since": now.to_unix(view.since),
        "starting": None
        if view.starting is None
        else dict(zip(("probes", "needed"), view.starting, strict=True)),
        "served_share": view.share,
        "serving": [] if view.serving is None else [view.serving],
        "expected": sorted(view.expected),
        "standby_clusters": len(view.standbys),
        "hazards": sorted(view.hazards),
        "clusters": [_cluster(id_, service, view, inventory) for id_ in inventory.clusters],
        "last_probe": None if view.plain is None else _probe(view.plain, destination, domain),
    }


def _requests(service: ServiceName, requests: Requests, recent: RecentHits) -> dict[str, Any]:
    rows = [
        {
            "source_cluster": source,
            "locality": locality,
            "requests": hits.requests,
            "failures": hits.failures,
            "bytes": hits.bytes,
            "recent_requests": (newest := recent.get((service, source, locality), _NONE)).requests,
            "recent_failures": newest.failures,
        }
        for source, locality, hits in requests.get(service, ())
    ]
    return {"requests": rows}


def _cluster(id_: str, service: Service, view: ServiceView, inventory: Inventory) -> dict[str, Any]:
    export, pinned = service.export_of(id_), view.pinned.get(id_)
    return {
        "id": id_,
        "exported": export is not None,
        "ready": export is not None and export.ready,
        "connected": id_ in inventory.connected,
        "standby": id_ in view.standbys,
        "addresses": [] if export is None else [str(address) for address in export.addresses],
        "pinned_probe": None
        if pinned is None
        else {
            "at": pinned.unix,
            "ok": pinned.failure is None,
            "reason": pinned.failure,
            "seconds": pinned.ended - pinned.at,
        },
    }


def _failover(failover: Failover) -> dict[str, Any]:
    return {
        "namespace": failover.service.namespace,
        "name": failover.service.name,
        "from_cluster": failover.from_cluster,
        "to_cluster": failover.to_cluster,
        "reason": failover.reason,
        "at": failover.unix,
        "durations_seconds": {stage: failover.durations.get(stage) for stage in FailoverStage},
        "accuracy_seconds": failover.accuracy,
    }


def _probe(probe: Probe, destination: str | None, domain: str) -> dict[str, Any]:
    answer, reply = probe.answer, probe.reply
    phases: dict[str, float | None] = {"dns": answer.took}
    if reply is not None:
        phases |= {"connect": reply.connect, "tls": reply.tls, "reply": reply.took}
    return {
        "namespace": probe.question.service.namespace,
        "name": probe.question.service.name,
        "dns_name": probe.question.dns_name(domain),
        "kind": probe.question.kind,
        "pinned_cluster": probe.question.pinned,
        "at": probe.unix,
        "reason": probe.failure,
        "resolver": answer.resolver,
        "rcode": answer.rcode,
        "ttl_seconds": answer.ttl,
        "addresses": [str(address) for address in answer.addresses],
        "address": None if reply is None else str(reply.address),
        "port": None if reply is None else reply.port,
        "status": None if reply is None else reply.status,
        "server": None if reply is None else reply.server,
        "destination_cluster": destination,
        "phases_seconds": {phase: spent for phase, spent in phases.items() if spent is not None},
    }


def _lines(counts: LogCounts) -> dict[str, int]:
    return {
        "read": counts.read,
        "access": counts.access,
        "other": counts.other,
        "ignored": counts.ignored,
        "truncated": counts.truncated,
    }
