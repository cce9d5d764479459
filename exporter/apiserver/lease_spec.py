"""The spec of a Lease: who holds it, since when, and for how long others respect that."""

import asyncio
import time
from datetime import UTC, datetime
from math import inf
from typing import Any

from exporter.apiserver.lease_note import renewed_at

RENEW_DEADLINE = 10.0
"""Seconds after which a leader that could not renew its Lease is not certain any more."""
MAX_COUNT = 1 << 31
"""More changes of the holder than this cannot be; a Lease has 32 bits for them."""

Lease = dict[str, Any]


class Rival:
    """The spec that a rival last wrote, and until when it is respected."""

    def __init__(self) -> None:
        self._spec: Lease | None = None
        self._until = -inf

    @property
    def seen(self) -> bool:
        """Return whether there has been one."""
        return self._spec is not None

    def is_over(self, spec: Lease, length: float) -> bool:
        """Return whether a rival's *spec* has stayed the same for *length* seconds."""
        now = asyncio.get_running_loop().time()
        if spec != self._spec:
            self._spec, self._until = spec, now + length
        return now >= self._until


class Term:
    """
    Until when a leader does what must not happen twice. The next leader begins exactly there.

    At an orderly end that is the first moment for which anybody asks, so that all go by the same:
    who releases the Lease, and who reads logs.

    Args:
        deadline: Seconds after a renewal after which a leader is not certain any more.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._task: asyncio.Task[Any] | None = None
        self._limit = inf
        self._ended: float | None = None

    def begin(self) -> None:
        """Take in that the current task takes part in the election until it is cancelled."""
        self._task, self._ended = asyncio.current_task(), None

    def renewed(self, spec: Lease) -> None:
        """Take in that our *spec* was written."""
        end = end_of(spec, self._deadline)
        self._limit = inf if end is None else end

    def until(self) -> float:
        """Return the moment in unix seconds: now, or in the past if it is over."""
        if self._ended is not None:
            return self._ended
        now = min(time.time(), self._limit)
        if self._task is not None and self._task.cancelling():
            self._ended = now
        return now


def spec_by(before: Lease, identity: str, duration: float) -> Lease:
    """Return a spec that says that *identity* holds the lease from now on."""
    now = micro_time()
    spec = before | {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(duration),
        "renewTime": now,
    }
    if before.get("holderIdentity") != identity:
        changes = before.get("leaseTransitions")
        count = changes + 1 if isinstance(changes, int) and 0 <= changes < MAX_COUNT - 1 else 0
        spec |= {"acquireTime": now, "leaseTransitions": count}
    return spec


def freed(before: Lease, ended: str) -> Lease:
    """Return a spec that says that nobody holds the lease since *ended*."""
    return before | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": ended}


def micro_time(unix: float | None = None) -> str:
    """Return a time in unix seconds as a Lease has it; None stands for now."""
    at = datetime.now(UTC) if unix is None else datetime.fromtimestamp(unix, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def end_of(spec: Lease, deadline: float) -> float | None:
    """Return when the writer of *spec* stopped leading at the latest, by its own clock."""
    renewed = renewed_at(spec)
    if renewed is None:
        return None
    # One that released the lease says when; another may have been certain until its deadline.
    return renewed + (deadline if spec.get("holderIdentity") else 0.0)


def spec_of(lease: Lease) -> Lease:
    """Return the spec of *lease*; an empty one if it has none."""
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}
