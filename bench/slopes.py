"""Whether a figure grew: a line of least squares through its samples, with an interval."""

from math import sqrt
from statistics import NormalDist, fmean
from typing import NamedTuple


class Slope(NamedTuple):
    """A slope and the interval around it."""

    per_hour: float
    margin: float
    """Half of the interval."""

    @property
    def grows(self):
        """Return whether the whole interval is above zero."""
        return self.per_hour - self.margin > 0


def slope(samples, *, block=60.0, confidence=0.99):
    """
    Return the slope of (seconds, value) pairs, per hour.

    Samples that follow each other closely are alike, and would make the interval too small. So
    the line goes through the means of blocks.

    Args:
        samples: In the order of time.
        block: Seconds of one block.
        confidence: Of the interval; there is one interval for each of several figures.
    """
    points = list(_means(samples, block))
    if len(points) < 4:
        msg = f"{len(points)} blocks of {block:g} s are too few for a slope"
        raise ValueError(msg)
    middle = fmean(at for at, _ in points)
    level = fmean(value for _, value in points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    found = sum((at - middle) * (value - level) for at, value in points) / spread
    rest = sum((value - level - found * (at - middle)) ** 2 for at, value in points)
    freedom = len(points) - 2
    margin = student(confidence, freedom) * sqrt(rest / freedom / spread)
    return Slope(found * 3600, margin * 3600)


def _means(samples, block):
    """Yield the mean moment and the mean value of each block."""
    held = []
    for at, value in samples:
        if held and at - held[0][0] >= block:
            yield fmean(at for at, _ in held), fmean(value for _, value in held)
            held = []
        held.append((at, value))
    if len(held) > 1:
        yield fmean(at for at, _ in held), fmean(value for _, value in held)


def student(confidence, freedom):
    """Return the two-sided quantile of Student's t (Abramowitz and Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / freedom + second / freedom**2 + third / freedom**3 + fourth / freedom**4
