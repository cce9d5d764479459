"""Which containers' logs tell who was served: pods and names of log files in, choices out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.model.clusterset import Pod, ServiceName, Workload

# Written by the kubelet for each container that runs. Names hold no underscore, ids are in hex.
_FILE = re.compile(r"([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log")
_OVER = re.compile(r".*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """What the name of a log file on a node tells."""

    namespace: str
    pod: str
    container: str
    container_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLog:
    """A container whose log is wanted."""

    namespace: str
    pod: str
    container: str
    services: tuple[ServiceName, ...]
    """Whose requests it logs; of several only the host in a line can tell which."""
    format: str = ""
    """By annotation of the pod or else of the Service; empty if neither says."""
    problem: str = ""
    """What is wrong with an annotation, for people."""


LogKey = tuple[str, str, str]
"""Namespace, pod and container."""
WantedLogs = Mapping[LogKey, WantedLog]


def pod_logs(workloads: Iterable[Workload], pods: Mapping[tuple[str, str], Pod]) -> WantedLogs:
    """
    Return the logs to follow.

    An annotation of the pod, or else of the Service, names the container. Without one it is the
    first container with a port of the service, else the first container.

    Args:
        workloads: What stands behind the services that the local cluster exports.
        pods: Those that are known, by namespace and name; others are left for later.
    """
    found: dict[LogKey, WantedLog] = {}
    for workload in workloads:
        for name in workload.pods:
            pod = pods.get((workload.service.namespace, name))
            if pod is None or not pod.containers:
                continue
            log = _log_of(pod, workload)
            key = (log.namespace, log.pod, log.container)
            found[key] = _merged(found[key], log) if key in found else log
    return found


def read_file_name(path: str) -> LogFile | None:
    """Return what the *path* of a file in /var/log/containers tells, or None if it is none."""
    matched = _FILE.fullmatch(_OVER.sub("", path))
    if matched is None:
        return None
    pod, namespace, container, container_id = matched.groups()
    return LogFile(namespace=namespace, pod=pod, container=container, container_id=container_id)


def _log_of(pod: Pod, workload: Workload) -> WantedLog:
    container, problem = container_of(pod, workload.log_container, workload.ports)
    return WantedLog(
        namespace=pod.namespace,
        pod=pod.name,
        container=container,
        services=(workload.service,),
        format=pod.log_format or workload.log_format,
        problem=problem,
    )


def container_of(pod: Pod, named: str = "", ports: Iterable[int] = ()) -> tuple[str, str]:
    """
    Return the container of *pod* whose log is read, and what is wrong with the annotation.

    Args:
        pod: Has a container at least; its own annotation comes first.
        named: The container by another annotation.
        ports: Without a name, the first container with one of these is read, else the first.
    """
    names = [container.name for container in pod.containers]
    named = pod.log_container or named
    if named in names:
        return named, ""
    problem = f"has no container {named}; it has {', '.join(names)}" if named else ""
    by_port = (c.name for c in pod.containers if set(c.ports) & set(ports))
    return next(by_port, names[0]), problem


def _merged(one: WantedLog, other: WantedLog) -> WantedLog:
    return WantedLog(
        namespace=one.namespace,
        pod=one.pod,
        container=one.container,
        services=(*one.services, *other.services),
        format=one.format or other.format,
        problem=one.problem or other.problem,
    )
