"""What the API server says of the pod whose log is read."""

from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import ContainerRef, created, restarts
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.log_place import LogPlace, is_later, is_stamp


async def count_restarts(client: ApiClient, container: ContainerRef, known: int) -> int:
    """
    Return how often a container was restarted, at least *known*; that if its pod may not be read.

    Raises:
        ApiError: If the API server cannot be asked.
    """
    try:
        pod = await client.read(container.of_pod)
    except ApiError as error:
        if error.kind not in {ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN}:
            raise
        return known
    return max(restarts(pod, container.container), known)


async def is_gone(client: ApiClient, container: ContainerRef, place: LogPlace | None) -> bool:
    """
    Return whether a pod is no more whose log was read up to *place*, or is another of its name.

    A kubelet that was started a moment ago knows no pod, and says "not found" of each log.
    """
    try:
        at = created(await client.read(container.of_pod)).encode()
    except ApiError as error:
        return error.kind is ErrorKind.NOT_FOUND
    stamp = b"" if place is None else place.stamp
    return is_stamp(at) and bool(stamp) and is_later(at, stamp)
