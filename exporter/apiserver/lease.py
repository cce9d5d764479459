"""
Elects the one of several replicas that works: the one that holds a Lease.

This works as Kubernetes' own leader election, with one difference. A leader that cannot reach the
API server goes on leading, because it measures what clients get, and nobody else may be able to.
It stops when it sees that another replica holds the Lease. From the renew deadline on it is not
`certain` that it is the only leader; what must not happen twice waits then. The deadline counts
from the moment at which the last renewal was sent, and a timer keeps it even if a request is still
running. A rival waits for the whole lease from when it last saw it renewed. No wall clock is
compared.
"""

import asyncio
import random
from collections.abc import Callable

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind, one_line
from exporter.apiserver.lease_note import note_of, renewed_at, with_note, with_owner
from exporter.apiserver.lease_spec import (
    RENEW_DEADLINE,
    Lease,
    Rival,
    Term,
    end_of,
    freed,
    micro_time,
    spec_by,
    spec_of,
)
from exporter.apiserver.rate_limiter import Uniform
from exporter.apiserver.silence import Silence
from exporter.model.stages import UNWATCHED, Pulse

CALL_LIMIT = 5.0
RELEASE_LIMIT = 1.5
CANDIDATE = (0.5, 0.8)
"""Range of a candidate's wait, as parts of the retry period: it takes a released lease soon."""
LONGEST = 600
"""Largest number of seconds for which a rival's lease is respected."""
_KIND = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_REFUSED = frozenset({ErrorKind.REFUSED, ErrorKind.TOO_LARGE})
_LOST = frozenset({ErrorKind.CONFLICT, ErrorKind.NOT_FOUND})
_UNOWNED = _REFUSED | {ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND}
"""After these the Lease gets no owner. Some clusters allow one only to who may delete the Lease.
A Lease that was deleted may have had an owner that is gone, with which it would go again."""

Owner = Callable[[], dict[str, str] | None]


def _nobody() -> None:
    return None


class Election:
    """
    Takes part in electing a leader.

    Args:
        client, namespace, name: Where the Lease is; the client has been entered.
        identity: Our name, and no other replica's. Whoever holds the Lease by it is us.
        lease_duration: Seconds for which others respect a lease that is not renewed.
        renew_deadline: Seconds after which a leader that could not renew is not certain any more.
        retry_period: Seconds between two renewals.
        note: Returns what a leader leaves on the Lease for the next one.
        owner: Returns a reference to the object that the Lease is removed with; None for none.
        silence: Is told which requests the API server answers.

    Attributes:
        leading: Whether we are the leader, as far as we know.
        certain: Whether nobody else can be the leader.
        holder: Who holds the lease, as far as we know.
        problem: Why we cannot take or renew it, in one line; empty if we can.
        free_since: Until when the previous leader led at the latest, in unix seconds, or None.
        inherited: What the previous leader left, and when it renewed the Lease last.
        term: Until when we do what must not happen twice.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        lease_duration: float = 15.0,
        renew_deadline: float = RENEW_DEADLINE,
        retry_period: float = 2.0,
        note: Callable[[], str] = str,
        owner: Owner = _nobody,
        silence: Silence | None = None,
        uniform: Uniform = random.uniform,
    ) -> None:
        self.identity = identity
        self.leading, self.certain, self.holder, self.problem = False, False, "", ""
        self.free_since: float | None = None
        self.inherited: tuple[str, float | None] = ("", None)
        self._client, self._uniform, self._note, self._owner = client, uniform, note, owner
        self._silence, self._retry = silence or Silence(), retry_period
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._one, self._about = f"{self._path}/{name}", {"namespace": namespace, "name": name}
        self._duration, self._deadline = lease_duration, renew_deadline
        self._lease: Lease | None = None
        """The Lease as last read or written; None if it must be read before it is written."""
        self._rival, self.term = Rival(), Term(renew_deadline)
        self._watchdog: asyncio.TimerHandle | None = None

    async def run(
        self,
        started: Callable[[], None],
        stopped: Callable[[], None],
        doubted: Callable[[], None] = lambda: None,
        pulse: Pulse = UNWATCHED,
    ) -> None:
        """
        Call *started* and *stopped* whenever we start and stop leading, until cancelled.

        *doubted* is called when a leader becomes certain again or ceases to be. All are called from
        the event loop and must not block. At the end the lease is released. After a failure it is
        not, and this can be called again. *pulse* beats at each attempt.
        """
        self._started, self._stopped, self._doubted = started, stopped, doubted
        self.term.begin()
        try:
            while True:
                pulse.beat()
                await self._attempt()
                low, high = (1.0, 1.0) if self.leading else CANDIDATE
                await asyncio.sleep(self._retry * self._uniform(low, high))
        except asyncio.CancelledError:
            if self.leading:
                self._stop()
                await self._release()
            raise

    async def _attempt(self) -> None:
        """Take or renew the lease, if we may take it."""
        sent = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(CALL_LIMIT):
                ours = await self._write()
        except (ApiError, TimeoutError) as error:
            self.problem = str(error) or f"lease {self._about['name']}: no answer in time"
            self._lease = None
            self._silence.failed(error)
            return
        self._silence.answered(sent)
        if not ours:
            self._stop()
            return
        self.problem = ""
        self._hold(sent)

    def _hold(self, sent: float) -> None:
        """Lead, and be certain until the deadline of the renewal that was sent at *sent*."""
        end, loop = sent + self._deadline, asyncio.get_running_loop()
        if loop.time() >= end:
            return
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = loop.call_at(end, self._doubt)
        before, self.certain = self.certain, True
        if not self.leading:
            self.leading = True
            try:
                self._started()
            except Exception:
                self.leading = False  # so that it is called again
                raise
        elif not before:
            self._doubted()

    def _doubt(self) -> None:
        """Go on leading, although another replica may lead by now."""
        self.certain = False
        self._doubted()

    def _stop(self) -> None:
        """Stop leading, if we lead."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self.certain = False
        if self.leading:
            self.leading = False
            self._stopped()

    async def _write(self, *, again: bool = True) -> bool:
        """Write the lease as ours; return whether it is ours. Our copy of it may be outdated."""
        if self._lease is None and not await self._look():
            return False
        before, note = spec_of(self._lease or {}), note_of(self._lease or {})
        spec = spec_by(before, self.identity, self._duration)
        try:
            if self._lease is None:
                body = with_owner(_KIND | {"metadata": self._about}, self._owner())
                self._lease = await self._client.create(self._path, body | {"spec": spec})
            else:
                noted = with_note(self._lease, self._note() if self.leading else "")
                body = with_owner(noted, self._owner()) | {"spec": spec}
                self._lease = await self._client.update(self._one, body)
        except ApiError as error:
            if error.kind in _REFUSED:
                # Leading matters more than what is left.
                self._note = str
            if error.kind in _UNOWNED:
                self._owner = _nobody
            if error.kind not in _LOST or not again:
                raise
            self._lease = None
            return await self._write(again=False)
        self.holder = self.identity
        self.term.renewed(spec)
        if before.get("holderIdentity") != self.identity:
            self.free_since = end_of(before, self._deadline)
        if not self.leading:
            self.inherited = note, renewed_at(before)
        return True

    async def _look(self) -> bool:
        """Read the lease; return whether we may take it."""
        try:
            self._lease = await self._client.read(self._one)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            # If there was a Lease, it was deleted, and its leader may not know that yet.
            first = not self._rival.seen and not self.holder
            self._owner = self._owner if first else _nobody
            return self.leading or first or self._rival.is_over({"deleted": True}, self._duration)
        spec = spec_of(self._lease)
        holder = spec.get("holderIdentity")
        self.holder = one_line(holder) if isinstance(holder, str) else "somebody"
        if holder in (self.identity, "") or (self.leading and holder is None):
            return True
        given = spec.get("leaseDurationSeconds")
        length = max(min(given, LONGEST) if isinstance(given, int) else 0, self._duration)
        if self.leading or not self._rival.is_over(spec, length):
            self._lease = None
            return False
        return True

    async def _release(self) -> None:
        """Release the lease, so that others need not wait; if that fails, they wait."""
        ended = micro_time(self.term.until())
        try:
            async with asyncio.timeout(RELEASE_LIMIT):
                # An interrupted renewal may have arrived.
                lease = await self._client.read(self._one)
                spec = spec_of(lease)
                if spec.get("holderIdentity") == self.identity:
                    noted = with_note(lease, self._note())
                    await self._client.update(self._one, noted | {"spec": freed(spec, ended)})
        except (ApiError, TimeoutError) as error:
            self.problem = f"lease {self._about['name']}: not released: {error}"
