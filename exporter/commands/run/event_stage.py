"""Kubernetes Events about Services as a part of an exporter in a cluster."""

from collections.abc import Callable
from dataclasses import replace

from exporter.apiserver.client import ApiClient
from exporter.apiserver.events import EventWriter
from exporter.commands.load import RuntimeConfig
from exporter.commands.run.parts import Parts
from exporter.model.service_events import EventReason, ServiceEvent

_OF_LOGS = frozenset(
    {
        EventReason.LEAK_BEGAN,
        EventReason.LEAK_ENDED,
        EventReason.GATEWAY_LEAK_BEGAN,
        EventReason.GATEWAY_LEAK_ENDED,
    }
)


def event_writer(
    client: ApiClient, replica: str, parts: Parts, loaded: Callable[[], RuntimeConfig]
) -> EventWriter:
    """
    Return what writes the events that *parts* announce, once its stage runs.

    Args:
        client: An open client of the local cluster's API server.
        replica: The name of this replica.
        parts: The parts of this exporter.
        loaded: Returns its configuration.
    """
    writer = EventWriter(
        client, instance=replica, problem=parts.problems.problem, solved=parts.problems.solved
    )
    pod = replica.rpartition("_")[0]

    def announce(event: ServiceEvent) -> None:
        of_node = any(source.by_pod for source in loaded().logs)
        writer.add(seen_on_node(event, pod) if of_node else event)

    parts.changes.announce = announce
    return writer


def seen_on_node(event: ServiceEvent, pod: str) -> ServiceEvent:
    """
    Return *event* as one of an exporter that reads the logs of one node, in *pod*.

    Another node may see the same leak, or see it go on. So each node has an Event of its own, and
    says what it is about.
    """
    if event.key.reason not in _OF_LOGS:
        return event
    key = event.key._replace(other=f"{event.key.other} {pod}")
    return replace(event, key=key, text=f"{event.text}. Seen in the logs of one node by {pod}")
