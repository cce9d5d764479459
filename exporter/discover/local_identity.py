"""Keeps which cluster this is, from its objects and from what Karmada wrote on our own one."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from exporter.apiserver.annotations import annotations_of
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.lease_note import owner_of
from exporter.discover.api_types import Gateway, ServiceExport, Submariner
from exporter.discover.identity import (
    BetterNameError,
    Identity,
    IdentityChangedError,
    IdentityError,
    IdentitySource,
    identify,
)
from exporter.discover.resources import Found

Locate = Callable[[], Awaitable[tuple[str, str]]]
_STRENGTH = {source: n for n, source in enumerate(reversed(IdentitySource))}


class LocalIdentity:
    """
    Which cluster this is.

    Args:
        client: It has been entered.
        setting: The cluster id from the command line, environment or configuration, or "".
        config_map: The exporter's own ConfigMap, in the client's namespace.
        locate: Returns namespace and name of that ConfigMap, if it may be elsewhere.
    """

    def __init__(
        self, client: ApiClient, setting: str, config_map: str, locate: Locate | None = None
    ) -> None:
        self._client, self._setting = client, setting
        self._config_map, self._locate = config_map, locate
        self._own: Mapping[str, str] | None = None
        self.owner: dict[str, str] | None = None
        """A reference to our own ConfigMap; None if it is not known."""
        self.known: Identity | None = None
        """Which cluster this is; None until it is known."""

    async def update(self, found: Found, forbidden: Iterable[str]) -> Identity:
        """
        Return which cluster this is by the objects *found*.

        Args:
            found: The objects of now.
            forbidden: Why some objects are not seen, for the message of an error.

        Raises:
            IdentityError: If no source names the local cluster.
            BetterNameError: If only Karmada named it before, and now Submariner does.
            IdentityChangedError: If the sources name another cluster than before.
        """
        if self.known is None:
            self._own = await self._own_annotations()
        made, before = self._identified(found, forbidden), self.known
        if before is not None and made.cluster != before.cluster:
            if _STRENGTH[made.source] < _STRENGTH[before.source]:
                # The stronger source is missing for a while, for example a gateway that moves.
                return before
            msg = (
                f"this cluster was taken for {before.cluster} by {before.source}; now "
                f"{made.source} says {made.cluster}"
            )
            better = before.source is IdentitySource.KARMADA is not made.source
            raise BetterNameError(msg) if better else IdentityChangedError(msg)
        self.known = made
        return made

    def _identified(self, found: Found, forbidden: Iterable[str]) -> Identity:
        try:
            return identify(
                self._setting,
                gateways=found.of(Gateway, "gateways"),
                submariners=found.of(Submariner, "submariners"),
                exports=found.of(ServiceExport, "serviceexports", "gke_serviceexports"),
                own_annotations=self._own,
            )
        except IdentityError as error:
            if self.known is not None:
                return self.known
            raise IdentityError("; ".join([str(error), *forbidden])) from error

    async def _own_annotations(self) -> Mapping[str, str]:
        """Return the annotations of our own ConfigMap; none if we cannot see it."""
        namespace, name = self._client.namespace, self._config_map
        if self._locate is not None:
            namespace, name = await self._locate()
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        try:
            found = await self._client.read(path)
        except ApiError as error:
            if error.kind in {ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN}:
                return {}
            return self._own or {}
        self.owner = owner_of(found)
        notes = annotations_of(found)
        return {key: value for key, value in notes.items() if isinstance(value, str)}
