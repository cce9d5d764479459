"""Requests of other clusters' clients in a simulated run: log lines, and what they count as."""

import math
import time
from collections import Counter

from exporter.accesslog.source import LogSource
from exporter.probe.identity import user_agent
from tests.fakes.nouns import NGINX

LEAK_SETTLES = 5.0
START = 1_794_000_000.0
LEAK_GRACE = 30.0
KEY = b"k" * 32
MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
BORDER = (9.0, 3.0)
"""Seconds before and after the beginning or the end of the dark in which either may be told."""


class SimulatedHits:
    """
    The requests of a run.

    Args:
        run: The run, which knows what changes.
        chance: Random numbers for the requests.
        more: Random numbers for all that not every family has.
    """

    def __init__(self, run, chance, more):
        self.run, self.family = run, run.family
        self.chance, self.more = chance, more
        self.allowed = Counter()
        """Requests, by the localities that each may be counted as."""
        clocks = self.family.clocks
        self.skew = more.choice((-1, 1)) * more.uniform(2.5, 30) if clocks else run.skew
        """Seconds by which the clock that writes the logs is ahead."""
        self.clock_of = {c: more.choice((0.0, more.uniform(-30, 30))) for c in run.clusters}
        # The exporter makes its own probes by the clock by which it sees changes.
        self.clock_of["a"] = 0.0
        form = MAIN + (" $request_time" if self.family.long else "")
        self.source = LogSource(
            files=("access.log",), syslog=None, form=form, wrapper="none", service=NGINX
        )

    def blocks(self):
        """Yield when each block of lines is read, and its text."""
        lines = list(self._lines())
        if not self.family.buffered:
            yield from ((read, text) for read, _, text in lines)
            return
        # Each of two workers writes when its buffer is full: 20 to 60 s of lines in one block.
        self.chance.shuffle(lines)
        for worker in range(2):
            mine, at = sorted(lines[worker::2], key=lambda line: line[1]), 0.0
            while at < self.run.end + 30:
                begin, at = at, at + self.chance.uniform(20, 60)
                block = "".join(text for _, written, text in mine if begin <= written < at)
                if block:
                    yield at + 0.2, block

    def _lines(self):
        """Yield when each line is read and written, and its text."""
        for cluster, at, allowed, early in self._requests():
            took = self.more.choice((0.0, self.more.uniform(0, 60))) if self.family.long else 0.0
            written = at + took
            delay = (self.more if early else self.chance).choice((0.2, 0.3, 1.0, 20.0))
            if self.run.leaders is not None and self._is_lost(written + delay):
                continue
            older = self._is_older_than_note(cluster, at, written + delay)
            self.allowed[frozenset({*allowed, "unknown"} if older else allowed)] += 1
            yield written + delay, written, self._line(cluster, written, took)
        if self.family.clocks:
            yield from self._probes()

    def _is_lost(self, read):
        """Return whether what is read then may still wait when the leader is gone."""
        return self.run.sleep[0] - LEAK_SETTLES - 1 < read <= self.run.sleep[0]

    def _is_older_than_note(self, cluster, at, read):
        """Return whether a leader that was started again reads what is older than its note."""
        if self.run.leaders is None or read <= self.run.sleep[0]:
            return False
        mine = [change for change in self.run.changes if change.cluster == cluster]
        return any(at < change.known and self.run.leaders.forgets(change) for change in mine)

    def _probes(self):
        """Yield the lines of signed probes, which show how far the clocks are apart."""
        for cluster in self.run.clusters:
            at = self.more.uniform(0, 15)
            while at < self.run.end:
                made = int((START + at + self.clock_of[cluster]) * 1000)
                agent = user_agent(
                    cluster,
                    NGINX,
                    destination="a",
                    version="1",
                    key=KEY,
                    unix_ms=made,
                    nonce=f"{at:.0f}",
                )
                yield at + 0.3, at, self._line(cluster, at, 0.0, agent)
                at += 15.0

    def _line(self, cluster, written, took, agent="curl/8"):
        stamp = time.gmtime(START + math.floor(written + self.skew))
        when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", stamp)
        address = f"10.{1 + self.run.clusters.index(cluster)}.7.7"
        spent = f" {took:.3f}" if self.family.long else ""
        return f'{address} - - [{when}] "GET / HTTP/1.1" 200 612 "-" "{agent}"{spent}\n'

    def _requests(self):
        """Yield the cluster and the moment of each request, and what it may be counted as."""
        run, chance = self.run, self.chance
        for cluster in run.clusters[1:]:
            mine = [change for change in run.changes if change.cluster == cluster]
            for down, up in zip(mine[::2], mine[1::2], strict=True):
                # From when its own name server knows, until connections kept alive are closed.
                last = up.ready + LEAK_GRACE - 3
                for _ in range(5):
                    at = chance.uniform(down.ready + 0.05, last)
                    # A crossing that is by design is counted at once, by what is known then.
                    if not (run.prefers_nobody and at < run.known(down) + 1):
                        yield from self._request(cluster, at, "failover", down)
            for _ in range(5):
                at = chance.uniform(100, run.end - 40)
                near = any(
                    c.ready - 20 < at < max(c.ready, run.known(c)) + LEAK_GRACE + 20 for c in mine
                )
                if not near and run.is_so(cluster, lambda change: change.ready, at):
                    yield from self._request(
                        cluster, at, "spread" if run.prefers_nobody else "leak"
                    )

    def _request(self, cluster, at, locality, down=None):
        run = self.run
        gone = [run.known(change) for change in run.changes if change.gone_for]
        if any(known - 30 < at < known + LEAK_GRACE + 9 for known in gone):
            # The service itself was not there.
            return
        if self.family.clocks:
            yield cluster, at, self._by_clock(cluster, at, locality), False
            return
        unsure = "spread" if run.prefers_nobody else "unknown"
        before, after = BORDER
        border = any(
            start - before < at <= start or end - before < at < end + after
            for start, end in run.blind
        )
        dark = any(start < at < end for start, end in run.blind)
        if border:
            yield cluster, at, {locality, unsure}, True
        elif not dark or down is None:
            # What happened while nobody looked is not known for sure, so it is no leak.
            yield cluster, at, {unsure} if dark else {locality}, False
        elif run.family.watches:
            seen = all(run.known(down) < start for start, _ in run.blind)
            yield cluster, at, {locality} if seen else {locality, unsure}, False
        else:
            late = any(start < at < end <= run.known(down) < end + 1 for start, end in run.blind)
            yield cluster, at, {unsure} if late else {locality}, False

    def _by_clock(self, cluster, at, locality):
        """Return what a request may be counted as, if the clock that wrote its line is off."""
        off = abs(self.skew) + max(abs(self.clock_of[c] - self.skew) for c in (cluster, "a")) + 7
        mine = [change for change in self.run.changes if change.cluster == cluster]
        spans = [(c.ready, self.run.known(c) + LEAK_GRACE) for c in mine] + self.run.blind
        near = any(start - off < at < end + off for start, end in spans)
        if locality == "leak" and near:
            return {"leak", "failover", "unknown"}
        return {locality, "unknown"} if near else {locality}
