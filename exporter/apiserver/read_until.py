"""Until when a leader read logs of pods through the API server, for who reads their files."""

import asyncio
from collections.abc import Callable

import structlog

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind, one_line
from exporter.apiserver.lease_note import note_of, renewed_at
from exporter.apiserver.lease_spec import RENEW_DEADLINE, Lease, Rival, end_of, spec_of
from exporter.apiserver.left_word import LeftWord, ReadUntil, left_word
from exporter.model.moment import iso

ASK_EVERY = 0.5
"""Seconds between two looks at the Lease. A kubelet keeps two files of each log that can be read:
the newest, and the one before it. So one rotation may come before the look that tells the end."""
LEASE_LASTS = 15.0
"""Seconds without a change after which the holder of a Lease leads no more, and nobody follows."""
RECENT = 600.0
"""Seconds after which nobody waits any more to go on where a leader stopped: an upgrade is over."""
AHEAD = 60.0
"""Seconds by which the clock of a leader may be ahead."""
MAX_UNSURE = 310.0
"""Seconds of the longest time for which it is not known what a leader that died had counted."""
NOTED_WITHIN = 5.0
"""Seconds after which the leader of a Lease that is new has left word on it."""
PATIENCE = 30.0
"""Seconds for which an API server that does not answer is asked again."""
_FINAL = frozenset({ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN})

log = structlog.get_logger()


class LeaseReader:
    """
    Waits for the end of a leader that reads logs of pods behind services.

    Args:
        client: Has been entered.
        lease: Namespace and name of the Lease, with a slash between them.
        waits: Called with what is waited for, in one line.
        unix: Tells the time.
    """

    def __init__(
        self,
        client: ApiClient,
        lease: str,
        *,
        waits: Callable[[str], None],
        unix: Callable[[], float],
    ) -> None:
        namespace, _, name = lease.partition("/")
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._client, self._lease, self._waits = client, lease, waits
        self._rival, self._told, self._unix = Rival(), "", unix

    async def read_until(self) -> ReadUntil | None:
        """
        Return until when logs of pods were read; None if nobody read them, as far as is known.

        This takes as long as a leader reads them.
        """
        clock = asyncio.get_running_loop().time
        began = answered = clock()
        while True:
            try:
                lease = await self._client.read(self._path)
            except ApiError as error:
                if self._told:
                    # It has counted lines since we came, and only the Lease tells how many.
                    self._waits(f"waits for {self._told}, and cannot ask: {error.message}")
                elif error.kind in _FINAL or clock() - answered > PATIENCE:
                    self._unknown(error)
                    return None
            else:
                answered, note = clock(), note_of(lease)
                word = left_word(note)
                if not note and answered - began < NOTED_WITHIN:
                    # The Lease is new, and its leader leaves word with the first renewal.
                    pass
                elif word is None or word.service_pods is None:
                    log.info(
                        "Lease was found, and does not say who reads logs of pods",
                        lease=self._lease,
                    )
                    return None
                elif not word.service_pods:
                    return self._usable(word.service_pods_until)
                elif (until := self._end(lease, word)) is not None:
                    return self._usable(until)
                else:
                    self._wait_for(spec_of(lease).get("holderIdentity"))
            await asyncio.sleep(ASK_EVERY)

    def _end(self, lease: Lease, word: LeftWord) -> ReadUntil | None:
        """Return when the leader ended that left *word*; None if it goes on."""
        spec, renewed = spec_of(lease), renewed_at(spec_of(lease))
        # Of a Lease that is free, another replica that reads them may be the next holder.
        over = self._rival.is_over(spec, LEASE_LASTS)
        ended, released = end_of(spec, RENEW_DEADLINE), not spec.get("holderIdentity")
        if ended is None or renewed is None or not over:
            return None
        exposed = renewed if word.exposed is None else min(word.exposed, renewed)
        return ReadUntil(ended, ended if released else exposed)

    def _usable(self, until: ReadUntil | None) -> ReadUntil | None:
        """Return *until* if it is not long ago. Whatever wrote the Lease may say anything."""
        now = self._unix()
        if until is None or not now - RECENT <= until.at <= now + AHEAD:
            return None
        log.info("leader read the same lines until then", until=iso(until.at), lease=self._lease)
        return ReadUntil(until.at, min(max(until.sure, until.at - MAX_UNSURE), until.at))

    def _wait_for(self, holder: object) -> None:
        if not holder:
            return
        who = one_line(str(holder))
        self._waits(f"waits for {who}, which reads the same lines from the API server")
        if who != self._told:
            log.info("a leader was found that reads the same lines", leader=who, lease=self._lease)
        self._told = who

    def _unknown(self, error: ApiError) -> None:
        """Tell that it is not known, because the Lease cannot be read."""
        if error.kind is ErrorKind.NOT_FOUND:
            log.info("there is no Lease, so nobody reads logs of pods", lease=self._lease)
            return
        hint = "; grant get on it" if error.kind is ErrorKind.FORBIDDEN else ""
        log.warning(
            "Lease cannot be read, so lines may be counted twice", error=f"{error.message}{hint}"
        )
