"""Which promises were kept in a simulated run, by its truth: bounds for what is counted."""

import math
from bisect import bisect_right
from collections import Counter
from itertools import pairwise

from tests.fakes.simulated import BY_EXPORT, Timeline

LEAK_GRACE, SETTLES = 30.0, 5.0
SEEN_LATE = 2.1
"""Seconds by which a change is known at the latest, while its watch works."""
BY_ANSWER = ("local_first", "fails_over")


class SimulatedPromises:
    """
    What each probe shows of each rule.

    A rule was broken for sure if all that was true within `leak_grace` says so. It has to be
    counted if nothing changed around the probe, and all was seen.

    Args:
        run: The run.
    """

    def __init__(self, run):
        self.run = run
        self.must, self.may, self.told = Counter(), Counter(), Counter()
        """By rule, and whether it was kept."""
        ready = lambda change: change.ready  # noqa: E731 - the moment that counts
        moments = [change.ready for change in run.changes]
        self.right = Timeline(moments, lambda at: run.right(at, ready))
        self.up = {
            c: Timeline(moments, lambda at, c=c: run.is_so(c, ready, at)) for c in run.clusters
        }
        self.exported = {c: Timeline(moments, self._exported(c)) for c in run.clusters}
        # What is broken at the very end is not counted any more.
        spans = [(-1.0, 0.0), *run.darks, (run.last - SETTLES, math.inf)]
        spans += [(c.first, run.known(c)) for c in run.changes]
        watched = [each for span in run.watched for each in span]
        self._moments, self._back = sorted([*moments, *watched]), (LEAK_GRACE, SEEN_LATE, 0.0)
        self._memo = {}
        """What probes show that saw the same, by the moments between which they did."""
        self.calm = _outside(spans, LEAK_GRACE + 4, SETTLES + 5)

    def _exported(self, cluster):
        changes = [c for c in self.run.changes if c.cluster == cluster and c.reason in BY_EXPORT]
        return lambda at: next((c.up for c in reversed(changes) if c.ready <= at), True)

    def count(self, probe, answered):
        """Take in a probe and the clusters that were answered."""
        at, reply = probe.at, probe.reply
        seen = (probe.question.pinned, answered, reply and (reply.address, reply.failure))
        key = (*(bisect_right(self._moments, at - back) for back in self._back), seen)
        if key not in self._memo:
            self._memo[key] = list(self._counts(probe, answered))
        calm = self.calm(at)
        for what, sure in self._memo[key]:
            self.may[what] += 1
            if calm and sure:
                self.must[what] += 1

    def _counts(self, probe, answered):
        """Yield each rule with whether it may be counted as kept; and if that is sure."""
        dark = any(start < probe.at < end for start, end in self.run.watched)
        for rule, states in () if dark else self._rules(probe, answered, probe.question.pinned):
            yield from (((rule, kept), len(states) == 1) for kept in states)

    def _rules(self, probe, answered, pinned):
        """Yield each rule that may apply, and whether it was kept: both if that changed."""
        at = probe.at
        since = at - LEAK_GRACE
        rights = self.right.during(since, at)
        if pinned is None:
            named = [bool(right) for right in rights]
        elif self.run.family.headless:
            named = self.up[pinned].during(since, at)
        else:
            named = self.exported[pinned].during(since, at)
        if any(named):
            lost = not answered
            yield "resolves", {not lost} if all(named) else {not lost, True}
        if not answered:
            return
        if pinned is not None:
            yield "pins", {answered == (pinned,)}
        elif not self.run.family.vip:
            group = set(answered)
            local = {group <= right for right in rights if right == {"a"}}
            away = {group <= right for right in rights if right and "a" not in right}
            fine = any(group <= right for right in rights)
            for rule, states in (("local_first", local), ("fails_over", away)):
                if states:
                    yield rule, states if not fine else states - {False} or {True}
        yield from self._reachable(probe, pinned)

    def _reachable(self, probe, pinned):
        reply, run = probe.reply, self.run
        if reply is None or (run.family.vip and pinned is None):
            return
        cluster = run.asked[reply.address]
        ready = self.up[cluster].during(probe.at - SEEN_LATE, probe.at)
        if any(ready):
            yield "reachable", {reply.failure is None}

    def wrong(self):
        """Yield what was counted and should not have been, or the other way round."""
        run = self.run
        for key in {*self.must, *self.may, *self.told}:
            told, least, most = self.told[key], self.must[key], self.may[key]
            rule, kept = key
            if rule == "connected_only":
                least, most = (0, told) if kept else (0, 0)
            if rule == "spreads":
                least, most = (0, told) if kept or run.bias else (0, 0)
            if not least <= told <= most:
                word = "kept" if kept else "violated"
                yield f"{rule} {word} {told} times, true {least} to {most}"
        if run.bias and self._is_uneven_for_long() and not self.told["spreads", False]:
            yield "spreads never violated, though one cluster is answered too often"

    def _is_uneven_for_long(self):
        """Return whether several remote clusters were right for three samples at least."""
        moments = [*self.right.moments, self.run.end]
        return any(
            "a" not in (right := self.right.at(start)) and end - start > 1200 * len(right) > 1200
            for start, end in pairwise(moments)
        )


def _outside(spans, after, before):
    """Return what says whether a moment is well outside of all *spans*."""
    wide = [(start - before, end + after) for start, end in spans]
    moments = sorted({each for span in wide for each in span})
    inside = [any(start <= a and b <= end for start, end in wide) for a, b in pairwise(moments)]

    def calm(at):
        place = bisect_right(moments, at) - 1
        return not (0 <= place < len(inside) and inside[place])

    return calm
