"""
The identity of a probe: the User-Agent that states it, and whether a logged one can be trusted.

Anybody can write a log line. No text from it becomes a label unless the inventory has it, too.
"""

import hmac
import re
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model.clusterset import ServiceName

PRODUCT = "clusterset-exporter/"
MAX_AGE = 300.0
"""The most seconds between a probe and its log line, in both directions, because clocks differ."""
MAX_REMEMBERED = 65_536
"""Probes remembered to detect a replay: 200 a second for MAX_AGE. The oldest are dropped first, and
after that no probe that is as old as a dropped one is accepted."""
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
    REPLAYED = "replayed"
    BAD_SIGNATURE = "bad_signature"


@dataclass(frozen=True, slots=True)
class ProbeIdentity:
    """The identity of a logged probe that is accepted."""

    cluster: str
    service: ServiceName
    verified: bool
    """True if its signature is valid; False if there is no signature, or no key to check it."""
    made: float = field(default=0.0, compare=False)
    """When it was made by the clock of its cluster, unix seconds."""


def user_agent(
    cluster: str, service: ServiceName, *, version: str, key: bytes | None, unix_ms: int, nonce: str
) -> str:
    """Return the User-Agent of a probe that *cluster* makes now."""
    id_ = f"{unix_ms}-{nonce}"
    signed = "" if key is None else f"; sig={_sign(key, cluster, service, id_)}"
    return f"{PRODUCT}{version} (cluster={cluster}; service={service}; id={id_}{signed})"


class IdentityChecker:
    """
    Checks logged User-Agents of probes, and accepts each one once.

    Args:
        key: The key of their signatures; may be replaced.
    """

    def __init__(self, key: bytes | None) -> None:
        self.key = key
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._forgotten = 0.0

    def read(  # noqa: PLR0911 - a return for each reason
        self, user_agent: str, *, now_unix: float, clusters: Container[str]
    ) -> ProbeIdentity | Forgery:
        """
        Return the identity that a logged *user_agent* states, or why it is not accepted.

        Args:
            user_agent: As logged.
            now_unix: Unix seconds.
            clusters: The clusters that exist.
        """
        matched = _FORM.fullmatch(user_agent)
        if matched is None:
            return Forgery.MALFORMED
        cluster, id_, made = matched["cluster"], matched["id"], int(matched["ms"]) / 1000
        service = ServiceName(matched["namespace"], matched["name"])
        if cluster not in clusters:
            return Forgery.UNKNOWN_CLUSTER
        if made < now_unix - MAX_AGE:
            return Forgery.TOO_OLD
        if made > now_unix + MAX_AGE:
            return Forgery.FROM_FUTURE
        signed, key = matched["sig"], self.key
        if key is None or signed is None:
            verified = False
        elif hmac.compare_digest(signed, _sign(key, cluster, service, id_)):
            verified = True
        else:
            return Forgery.BAD_SIGNATURE
        if self._replayed(f"{cluster} {id_}", made):
            return Forgery.REPLAYED
        return ProbeIdentity(cluster, service, verified, made)

    def _replayed(self, id_: str, made: float) -> bool:
        # A probe that may have been dropped from memory counts as seen, so no replay is accepted.
        if id_ in self._seen or made <= self._forgotten:
            return True
        self._seen[id_] = made
        if len(self._seen) > MAX_REMEMBERED:
            _, oldest = self._seen.popitem(last=False)
            self._forgotten = max(self._forgotten, oldest)
        return False


def _sign(key: bytes, cluster: str, service: ServiceName, id_: str) -> str:
    # No part can contain a line feed, so different parts never give the same text.
    text = f"{cluster}\n{service}\n{id_}".encode()
    return hmac.digest(key, text, "sha256").hex()[:_SIGNATURE]
