"""
The identity of a probe: the User-Agent that states it, and whether a logged one can be trusted.

Anybody can write a log line. No text from it becomes a label unless the inventory has it, too.

A signature covers the cluster that a probe was sent to, so a probe that was seen in one cluster
cannot be used in another. The User-Agent does not name that cluster. Whoever reads a log knows its
own, and checks the signature for it. See docs/decisions/0014-probe-identity.md.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model.clusterset import Inventory, ServiceName
from exporter.probe.replays import Replays

PRODUCT = "clusterset-exporter/"
NOWHERE = ""
"""The destination of a probe to an address that does not show its cluster."""
MAX_AGE = 300.0
"""The most seconds between a probe and its log line, in both directions, because clocks differ."""
MAX_KEYS = 4
"""Keys that are valid at once. Each one more makes forged lines more expensive."""
MAX_SEARCHES = 50
"""Wrong signatures a second for which it is found out whether they fit another destination."""
_SIGNATURE = 32
_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_FORM = re.compile(
    rf"clusterset-exporter/[!-~]{{1,32}} \(cluster=(?P<cluster>{_NAME}); "
    rf"service=(?P<namespace>{_NAME})/(?P<name>{_NAME}); "
    r"id=(?P<id>(?P<ms>\d{1,15})-[0-9a-zA-Z]{1,32})(?:; sig=(?P<sig>[0-9a-f]{32}))?\)"
)


class Forgery(StrEnum):
    """Why a logged probe is not accepted."""

    MALFORMED = "malformed"
    UNKNOWN_CLUSTER = "unknown_cluster"
    TOO_OLD = "too_old"
    FROM_FUTURE = "from_future"
    UNSIGNED = "unsigned"
    """It has no signature, although there is a key here."""
    BAD_SIGNATURE = "bad_signature"
    DESTINATION = "destination"
    """It was signed with a valid key, and sent to another cluster or to an unknown one."""
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class ProbeIdentity:
    """The identity of a logged probe that is accepted."""

    cluster: str
    service: ServiceName
    verified: bool
    """True if its signature is valid; False if there is no key to check it."""
    made: float = field(default=0.0, compare=False)
    """When it was made by the clock of its cluster, unix seconds."""


def user_agent(
    cluster: str,
    service: ServiceName,
    *,
    destination: str,
    version: str,
    key: bytes | None,
    unix_ms: int,
    nonce: str,
) -> str:
    """
    Return the User-Agent of a probe that *cluster* makes now.

    Args:
        cluster: The cluster that probes.
        service: The service that is probed.
        destination: The cluster that the probe is sent to; NOWHERE if it is not known.
        version: Of the exporter.
        key: The key that signs; None for a probe without a signature.
        unix_ms: The time, milliseconds since 1970.
        nonce: Makes the probe different from all others of this millisecond.
    """
    id_ = f"{unix_ms}-{nonce}"
    signed = "" if key is None else f"; sig={_sign(key, cluster, service, destination, id_)}"
    return f"{PRODUCT}{version} (cluster={cluster}; service={service}; id={id_}{signed})"


class IdentityChecker:
    """
    Checks logged User-Agents of probes, and accepts each one once.

    Args:
        keys: The keys that are valid; empty if signatures cannot be checked. May be replaced.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self.keys = keys
        self._replays = Replays()
        self._second, self._searches = 0, 0

    def read(
        self, user_agent: str, inventory: Inventory, *, now: float, logged: float | None = None
    ) -> ProbeIdentity | Forgery:
        """
        Return the identity that a logged *user_agent* states, or why it is not accepted.

        Args:
            user_agent: As logged.
            inventory: Names the clusters that exist, and the one that wrote the log.
            now: Unix seconds.
            logged: When the line was written, unix seconds; None if it does not tell. A line may
                be read long after it was written.
        """
        matched = _FORM.fullmatch(user_agent)
        if matched is None:
            return Forgery.MALFORMED
        cluster, id_, made = matched["cluster"], matched["id"], int(matched["ms"]) / 1000
        if cluster not in inventory.clusters:
            return Forgery.UNKNOWN_CLUSTER
        times = (now,) if logged is None else (logged, now)
        if all(abs(made - each) > MAX_AGE for each in times):
            return Forgery.TOO_OLD if made < times[0] else Forgery.FROM_FUTURE
        service = ServiceName(matched["namespace"], matched["name"])
        if self.keys:
            forged = self._forged(matched["sig"], (cluster, service, id_), inventory, now)
            if forged is not None:
                return forged
        if not self._replays.is_new(cluster, id_, made, sources=len(inventory.clusters)):
            return Forgery.REPLAYED
        return ProbeIdentity(cluster, service, bool(self.keys), made)

    def _forged(
        self,
        signature: str | None,
        signed: tuple[str, ServiceName, str],
        inventory: Inventory,
        now: float,
    ) -> Forgery | None:
        """Return what is wrong with a signature; None if it is valid here."""
        if signature is None:
            return Forgery.UNSIGNED
        service = inventory.services.get(signed[1])
        shared = service is not None and bool(service.clusterset_ips)
        here = {inventory.local, NOWHERE} if shared else {inventory.local}
        if any(self._fits(signature, signed, each) for each in here):
            return None
        # This only tells people what is wrong, so a flood of forgeries may go without.
        if int(now) != self._second:
            self._second, self._searches = int(now), 0
        self._searches += 1
        elsewhere = {*inventory.clusters, NOWHERE} - here
        if self._searches <= MAX_SEARCHES and any(
            self._fits(signature, signed, each) for each in elsewhere
        ):
            return Forgery.DESTINATION
        return Forgery.BAD_SIGNATURE

    def _fits(self, signature: str, signed: tuple[str, ServiceName, str], destination: str) -> bool:
        cluster, service, id_ = signed
        return any(
            hmac.compare_digest(signature, _sign(key, cluster, service, destination, id_))
            for key in self.keys
        )


def _sign(key: bytes, cluster: str, service: ServiceName, destination: str, id_: str) -> str:
    # No part can contain a line feed, so different parts never give the same text.
    text = f"{cluster}\n{service}\n{destination}\n{id_}".encode()
    return hmac.digest(key, text, "sha256").hex()[:_SIGNATURE]
