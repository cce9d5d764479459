"""What `/api/v1/probes` and `/probe` show of probes: every step, put together only when asked."""

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.metrics.labels import label_text
from exporter.model.probes import Answer, Failure, Lookup, Probe, Reply

_STEPS = {"connect": "connect_", "tls": "tls_", "reply": "reply_"}


def shown(probe: Probe, destination: str | None, domain: str) -> dict[str, Any]:
    """Return a probe with every step."""
    question = probe.question
    return {
        "namespace": question.service.namespace,
        "name": question.service.name,
        "dns_name": question.dns_name(domain),
        "kind": question.kind,
        "pinned_cluster": question.pinned,
        "lookup": probe.lookup,
        "vantage": probe.vantage,
        "at": probe.unix,
        "seconds": probe.ended - probe.at,
        "reason": probe.failure,
        "destination_cluster": destination,
        "lagged": probe.lagged,
        "steps": list(_steps(probe)),
    }


def _steps(probe: Probe) -> Iterator[dict[str, Any]]:
    for answer in (*probe.answer.earlier, probe.answer):
        yield _dns(answer, probe)
    for reply in () if probe.reply is None else (probe.reply, *probe.more):
        yield from _reply(reply)


def _dns(answer: Answer, probe: Probe) -> dict[str, Any]:
    return {
        "step": "dns",
        "result": answer.failure or "ok",
        "resolver": answer.resolver,
        "record": "A+AAAA" if probe.lookup is Lookup.CLIENT else probe.question.record,
        "rcode": answer.rcode,
        "ttl_seconds": answer.ttl,
        "negative_ttl_seconds": answer.negative_ttl,
        "addresses": [str(address) for address in answer.addresses],
        "services": [each._asdict() for each in answer.services],
        "strangers": answer.mismatched_responses,
        "seconds": answer.took,
    }


def _reply(reply: Reply) -> Iterator[dict[str, Any]]:
    where = {"address": str(reply.address), "port": reply.port}
    failed = _failed_step(reply.failure)
    rows: tuple[tuple[str, float | None, Mapping[str, Any]], ...] = (
        ("connect", reply.connect, {"rtt_seconds": reply.rtt}),
        ("tls", reply.tls, {"certificate_expires": reply.certificate_expires}),
        (
            "reply",
            reply.took,
            {"status": reply.status, "server": reply.server, "redirects": reply.redirects},
        ),
    )
    for step, seconds, more in rows:
        if seconds is not None or step == failed:
            result = reply.failure if step == failed else "ok"
            yield {"step": step, "result": result, **where, **more, "seconds": seconds}
        if step == failed:
            return


def _failed_step(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    named = (step for step, prefix in _STEPS.items() if failure.startswith(prefix))
    return next(named, "connect")


def as_blackbox(probe: Probe) -> str:
    """Return a probe as text with the names that blackbox_exporter's users know."""
    rows: list[tuple[str, dict[str, str], float]] = [
        ("probe_success", {}, float(probe.failure is None)),
        ("probe_duration_seconds", {}, probe.ended - probe.at),
        ("probe_dns_lookup_time_seconds", {}, probe.answer.took),
    ]
    if probe.answer.addresses:
        rows.append(("probe_ip_protocol", {}, float(probe.answer.addresses[0].version)))
    reply = probe.reply
    if reply is not None:
        phases = {"connect": reply.connect, "tls": reply.tls, "processing": reply.took}
        rows += [
            ("probe_http_duration_seconds", {"phase": phase}, spent)
            for phase, spent in phases.items()
            if spent is not None
        ]
        if reply.status is not None:
            rows.append(("probe_http_status_code", {}, float(reply.status)))
        if reply.certificate_expires is not None:
            rows.append(("probe_ssl_earliest_cert_expiry", {}, reply.certificate_expires))
    heads = dict.fromkeys(name for name, *_ in rows)
    return "".join(
        f"# TYPE {name} gauge\n"
        + "".join(
            f"{name}{label_text(labels, labels.values())} {value!r}\n"
            for each, labels, value in rows
            if each == name
        )
        for name in heads
    )
