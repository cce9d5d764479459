"""Logs each probe of one service, while somebody asks for it."""

import structlog

from exporter.model.moment import iso
from exporter.model.probes import Probe, Reply

EVENT = "probe was made"
"""Never left out of the log, however often it comes."""

log = structlog.get_logger()


def log_probe(probe: Probe, destination: str, domain: str) -> None:
    """
    Log what *probe* asked and saw.

    Args:
        probe: The probe.
        destination: The cluster that its first address leads to.
        domain: The zone of the clusterset names.
    """
    answer, question = probe.answer, probe.question
    log.info(
        EVENT,
        service=str(question.service),
        name=question.dns_name(domain),
        at=iso(probe.unix),
        seconds=round(probe.ended - probe.at, 4),
        vantage=probe.vantage,
        lookup=probe.lookup,
        resolver=answer.resolver,
        rcode=answer.rcode,
        addresses=" ".join(map(str, answer.addresses)),
        ttl_seconds=answer.ttl,
        dns_seconds=round(answer.took, 4),
        destination_cluster=destination if answer.addresses else None,
        failure=probe.failure,
        **(_replied(probe.reply) if probe.reply is not None else {}),
    )


def _replied(reply: Reply) -> dict[str, object]:
    timed = {"connect": reply.connect, "tls": reply.tls, "reply": reply.took}
    return {
        "address": str(reply.address),
        "port": reply.port,
        "status": reply.status,
        "server": reply.server,
        **{f"{phase}_seconds": round(took, 4) for phase, took in timed.items() if took is not None},
    }
