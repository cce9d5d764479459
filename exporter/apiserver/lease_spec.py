"""The spec of a Lease: who holds it, since when, and for how long others respect that."""

import asyncio
from datetime import UTC, datetime
from math import inf
from typing import Any

from exporter.apiserver.lease_note import renewed_at

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


def micro_time() -> str:
    """Return the time now as a Lease has it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


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
