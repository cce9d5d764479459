"""Kubernetes Events about Services as a part of an exporter in a cluster."""

from exporter.apiserver.client import ApiClient
from exporter.apiserver.events import EventWriter
from exporter.commands.run.parts import Parts


def event_writer(client: ApiClient, replica: str, parts: Parts) -> EventWriter:
    """
    Return what writes the events that *parts* announce, once its stage runs.

    Args:
        client: An open client of the local cluster's API server.
        replica: The name of this replica.
        parts: The parts of this exporter.
    """
    writer = EventWriter(
        client, instance=replica, problem=parts.problems.problem, solved=parts.problems.solved
    )
    parts.changes.announce = writer.add
    return writer
