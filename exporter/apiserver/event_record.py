"""One Kubernetes Event for all events with the same reason at the same Service, with a count."""

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.event_body import count_of, created, event_name, happened_again
from exporter.model.clusterset import ServiceName
from exporter.model.service_events import ServiceEvent

WITHIN = 10.0
"""Seconds for one request."""
MAX_KNOWN = 1000
"""Events of which the count is remembered."""


class EventRecord:
    """
    Writes Events, and remembers how often each of them happened.

    An Event that was written last by another process is counted on. The API server deletes Events
    an hour after they were last written; then the count begins anew.

    Args:
        client: An open client of the local cluster's API server.
        instance: Which replica of the exporter writes.
    """

    def __init__(self, client: ApiClient, instance: str) -> None:
        self._client, self._instance = client, instance
        self._counts: dict[str, int] = {}
        """By the name of the Event; those written last are at the end."""

    async def write(self, event: ServiceEvent, times: int) -> bool:
        """
        Write that *event* happened so many *times* more.

        Returns:
            False if there is no such Service, at which somebody could look.

        Raises:
            ApiError: If the API server does not take it.
        """
        service = event.key.service
        uid = await self._uid(service)
        if not uid:
            return False
        path, name = f"/api/v1/namespaces/{service.namespace}/events", event_name(event, uid)
        known = self._counts.pop(name, None)
        if known is None or not await self._counted_on(f"{path}/{name}", event, known + times):
            known = await self._created(path, event, uid, times)
        self._counts[name] = known + times
        if len(self._counts) > MAX_KNOWN:
            del self._counts[next(iter(self._counts))]
        return True

    async def _created(self, path: str, event: ServiceEvent, uid: str, times: int) -> int:
        """Write an Event that we do not know; return how often it had happened before."""
        try:
            body = created(event, uid, self._instance, times)
            await self._client.create(path, body, within=WITHIN)
        except ApiError as error:
            if error.kind is not ErrorKind.CONFLICT:
                raise
        else:
            return 0
        # It is there. The reply to the first change has its count, so no right to read is needed.
        one = f"{path}/{event_name(event, uid)}"
        before = count_of(await self._client.patch(one, happened_again(event), within=WITHIN))
        await self._client.patch(one, happened_again(event, before + times), within=WITHIN)
        return before

    async def _counted_on(self, one: str, event: ServiceEvent, count: int) -> bool:
        """Return whether the Event at this path was there, and has this *count* now."""
        try:
            await self._client.patch(one, happened_again(event, count), within=WITHIN)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return False
        return True

    async def _uid(self, service: ServiceName) -> str:
        """Return the UID of the Service; empty if there is none. We may list, but not get it."""
        path = f"/api/v1/namespaces/{service.namespace}/services"
        only = {"fieldSelector": f"metadata.name={service.name}"}
        match await self._client.read(path, only, within=WITHIN):
            case {"items": [{"metadata": {"uid": str(uid)}}, *_]}:
                return uid
        return ""
