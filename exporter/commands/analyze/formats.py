"""The formats of past logs: chosen by the first lines, and looked at again at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from exporter.accesslog.formats.guess import Guess, guess
from exporter.accesslog.line_reader import MAX_ODD
from exporter.accesslog.readers.past import FilePart, is_regular, read_blocks
from exporter.commands.log_formats import advice, mostly_other
from exporter.model.traffic import LogCounts

MAX_TRIES = 64
"""Blocks of a file in which a format is looked for: some megabytes, which take a few seconds."""
Formats = dict[str, Guess | None]
"""The chosen format by file; None if no preset reads the first lines."""


def choose(files: Sequence[str], wrapping: str) -> Formats:
    """
    Return the format of each of *files* that can be read twice.

    Raises:
        exporter.accesslog.readers.past.ReadError: If a file cannot be read.
    """
    return {name: _first_guess(name, wrapping) for name in files if _stays(name)}


def _stays(name: str) -> bool:
    try:
        return is_regular(name)
    except OSError:
        # Reading it tells why.
        return False


def _first_guess(name: str, wrapping: str) -> Guess | None:
    blocks = read_blocks(FilePart(name), read=lambda _: None, cut=lambda: None)
    guesses = (guess(block, wrapping) for block in islice(blocks, MAX_TRIES))
    return next((found for found in guesses if found is not None), None)


@dataclass(slots=True)
class _Lines:
    """How many lines a file has, and some that do not fit."""

    read: int = 0
    other: int = 0
    odd: list[bytes] = field(default_factory=list)
    bare: bool = False


class FitOfFormats:
    """Notices files whose lines do not fit their format."""

    def __init__(self) -> None:
        self._files: dict[str, _Lines] = {}

    def add(self, name: str, counts: LogCounts) -> None:
        """Take in the counts of a part of the file *name*."""
        lines = self._files.setdefault(name, _Lines())
        lines.read += counts.read
        lines.other += counts.other
        lines.odd += counts.odd[: MAX_ODD - len(lines.odd)]
        lines.bare = lines.bare or counts.bare

    def warnings(self) -> Iterator[str]:
        """Yield a line about each file that does not fit."""
        for name, lines in self._files.items():
            if not mostly_other(lines.read, lines.other):
                continue
            found = guess(b"".join(line + b"\n" for line in lines.odd), "none")
            # Start-up notices of a server can outnumber its first requests.
            if found is not None or lines.other == lines.read:
                yield f"{name}: {advice(lines.read, lines.other, found, bare=lines.bare)}"


def told(formats: Mapping[str, Guess | None], fit: FitOfFormats) -> dict[str, Any]:
    """Return what the report says of formats: those chosen, and those that do not fit."""
    chosen = {
        name: {"format": each.form, "wrapper": each.wrapper}
        for name, each in formats.items()
        if each is not None
    }
    warnings = list(fit.warnings())
    return ({"formats": chosen} if chosen else {}) | ({"warnings": warnings} if warnings else {})
