"""Figures as text. A share that is not whole is never rounded to 0 % or 100 %."""

from collections.abc import Iterable
from datetime import UTC, datetime

from exporter.commands.report.samples import Counted

GIGA = 1e9


def number(value: float, *, exact: bool = True) -> str:
    """Return a count; one that Prometheus extrapolated is marked."""
    return f"{'' if exact else '≈ '}{round(value):,}"


def share(part: float, whole: float) -> str:
    """Return *part* of *whole* in percent; a dash of nothing."""
    if whole <= 0:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.01:  # noqa: PLR2004 - the last digit shown
        return "< 0.01 %"
    if 99.99 < percent < 100:  # noqa: PLR2004
        return "> 99.99 %"
    return f"{percent:.2f} %"


def seconds(value: float | None) -> str:
    """Return a duration; a dash for none."""
    return "-" if value is None else f"{value:.2f} s"


def moment(unix: float) -> str:
    """Return a time."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def total(counts: Iterable[Counted]) -> tuple[float, bool]:
    """Return the sum, and whether it is exact."""
    found = list(counts)
    return sum(each.value for each in found), all(each.exact for each in found)
