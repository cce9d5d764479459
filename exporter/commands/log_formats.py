"""What is said of a log whose lines do not fit its format."""

from exporter.accesslog.formats.guess import Guess


def mostly_other(read: int, other: int) -> bool:
    """Return whether more than half of the lines of a log are no access lines."""
    return 2 * other > read


def advice(read: int, other: int, found: Guess | None, *, bare: bool) -> str:
    """
    Return what is wrong with a log, and what would work.

    Args:
        read: How many lines were read.
        other: How many of them are no access lines.
        found: The preset that reads some of those.
        bare: Whether the wrapper that was looked for is missing.
    """
    told = f"{other} of {read} lines are no access lines in the format here"
    if found is None:
        return f"{told}, and no preset reads them; write the format as it stands in the server"
    wrapped = f" with wrapper {found.wrapper}" if bare or found.wrapper != "none" else ""
    return f"{told}; the format {found.form}{wrapped} reads {found.lines} of {found.of} of them"
