"""What a leader leaves word of on its Lease, beside what it knows of services."""

import msgspec


class ReadUntil(msgspec.Struct, frozen=True):
    """Until when leaders read logs of pods behind services through the API server."""

    at: float
    """They read only earlier lines, in unix seconds."""
    sure: float
    """Lines until then were counted, and somebody got the counts. Later ones may be missing."""


class LeftWord(msgspec.Struct, frozen=True, kw_only=True):
    """What stands there. Replicas of older versions pass these keys over, and write none."""

    pod_logs: bool = True
    """Whether the leader reads any logs of pods."""
    exposed: float | None = None
    """When what was counted until then had been scraped, in unix seconds; None: not lately."""
    service_pods: bool | None = None
    """Whether it reads those of pods behind services; None from an older version."""
    service_pods_until: ReadUntil | None = None
    """If it does not: until when one before it did; None if that is not known, or none did."""


def left_word(text: str) -> LeftWord | None:
    """Return what a note on a Lease says; None if it cannot be read."""
    try:
        return msgspec.json.decode(text, type=LeftWord)
    except (ValueError, RecursionError):
        return None
