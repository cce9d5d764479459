"""Checks whether answers are spread evenly over the clusters that may give them."""

import math
from collections import Counter
from collections.abc import Sequence

LEVEL = 0.001
"""The share of honest samples that may be called unfair."""
ANSWERS_EACH = 25
"""Answers that are needed for each eligible cluster before one check."""


class Spread:
    """
    Counts the answers of one name, and checks them when there are enough.

    Each replica of Lighthouse takes turns by itself and starts again at each change. So exact
    alternation proves nothing, and only the sums are compared.
    """

    __slots__ = ("_answers", "_fresh_from")

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._fresh_from = float("-inf")

    def clear(self) -> None:
        """Start again, because other clusters are eligible now."""
        self._answers.clear()

    def answered(
        self, cluster: str | None, eligible: frozenset[str], *, at: float, ttl: float
    ) -> bool | None:
        """
        Take in an answer that came at *at*; return whether the sums are fair.

        None if there are too few. For *ttl* seconds a cache may repeat the answer. So the answers
        of that time are not counted, because they were not chosen anew.
        """
        few = len(eligible) < 2  # noqa: PLR2004 - it takes two to spread
        if few or cluster not in eligible or at < self._fresh_from:
            return None
        self._fresh_from = at + ttl
        self._answers[cluster] += 1
        if self._answers.total() < ANSWERS_EACH * len(eligible):
            return None
        counts = [self._answers[each] for each in eligible]
        self.clear()
        return is_fair(counts)


def is_fair(counts: Sequence[int], level: float = LEVEL) -> bool:
    """Return whether these numbers of answers by cluster may come from an even choice."""
    mean = sum(counts) / len(counts)
    statistic = sum((count - mean) ** 2 / mean for count in counts)
    return _chi_square_tail(statistic, len(counts) - 1) >= level


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Return P(X >= statistic) of the chi-square distribution: a finite sum for whole degrees."""
    half = statistic / 2
    if freedom % 2:
        tail, term = math.erfc(math.sqrt(half)), math.exp(-half) / math.sqrt(math.pi * half or 1)
        steps = [k + 0.5 for k in range(freedom // 2)]
    else:
        term = tail = math.exp(-half)
        steps = [float(k) for k in range(1, freedom // 2)]
    for step in steps:
        term *= half / step
        tail += term
    return tail
