"""What happened to a service, for people who ask Kubernetes about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from exporter.model.clusterset import ServiceName


class EventReason(StrEnum):
    """What happened; the values are reasons of Kubernetes Events."""

    FAILED_OVER = "FailedOver"
    FAILED_BACK = "FailedBack"
    BLACKOUT_BEGAN = "BlackoutBegan"
    BLACKOUT_ENDED = "BlackoutEnded"
    LEAK_BEGAN = "LeakBegan"
    LEAK_ENDED = "LeakEnded"
    GATEWAY_LEAK_BEGAN = "GatewayLeakBegan"
    GATEWAY_LEAK_ENDED = "GatewayLeakEnded"


WARNINGS = frozenset(
    {
        EventReason.FAILED_OVER,
        EventReason.BLACKOUT_BEGAN,
        EventReason.LEAK_BEGAN,
        EventReason.GATEWAY_LEAK_BEGAN,
    }
)
"""What somebody may have to act on; the others are the end of one of these."""


class EventKey(NamedTuple):
    """What is the same in events that are shown as one, with a count."""

    service: ServiceName
    reason: EventReason
    other: str
    """The other cluster, if there may be several: of the clients, or to which a gateway sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """Something that happened to a service."""

    key: EventKey
    text: str
    """One or two sentences for people."""
    unix: float
    """When it happened, in unix seconds."""
