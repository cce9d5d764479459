"""Pods as JSON of the API, parsed to the few fields that are kept."""

from exporter.apiserver.annotations import LOG_CONTAINER, LOG_FORMAT
from exporter.apiserver.json_fields import Json, dns_label, mapping, objects, port_number, text
from exporter.model.clusterset import Container, Pod


def parse_pod(found: Json) -> Pod:
    """
    Keep the containers of a pod and what its annotations say about its log.

    Raises:
        ValueError: If the pod is broken; or TypeError.
    """
    meta = mapping(found, "metadata")
    notes = mapping(meta, "annotations")
    return Pod(
        namespace=dns_label("namespace", text(meta, "namespace")),
        name=text(meta, "name"),
        containers=tuple(
            Container(
                dns_label("container", text(each, "name")),
                tuple(port_number(port, "containerPort") for port in objects(each, "ports")),
            )
            for each in objects(mapping(found, "spec"), "containers")
        ),
        log_container=text(notes, LOG_CONTAINER),
        log_format=text(notes, LOG_FORMAT),
    )
