"""Which preset reads lines whose format nobody said, or said wrongly."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import MAX_LENGTH, LogFormat, is_access
from exporter.accesslog.formats.presets import PRESETS
from exporter.accesslog.wrappers.wrapper import wrapper

MAX_LINES = 500
"""Lines that are tried, of the first and of the last ones."""
WRAPPERS = ("none", "cri", "docker")


class Guess(NamedTuple):
    """A preset that reads some lines."""

    form: str
    wrapper: str
    lines: int
    """How many of them it reads."""
    of: int
    """How many there were."""


def guess(block: bytes, wrapping: str) -> Guess | None:
    """
    Return the preset that reads most lines of *block*, the first in the table if several do.

    If none reads any, what container runtimes put around a line is tried, too.

    Args:
        block: Whole lines.
        wrapping: What is around each of them: none, cri or docker.
    """
    for each in (wrapping, *(name for name in WRAPPERS if name != wrapping)):
        around = wrapper(each)
        plain = block if around is None else around.unwrap(block)
        lines = [line for line in plain.split(b"\n") if 0 < len(line) <= MAX_LENGTH]
        lines = lines[:MAX_LINES] + lines[MAX_LINES:][-MAX_LINES:]
        found = max(
            (Guess(name, each, _reads(name, lines), len(lines)) for name in PRESETS),
            key=lambda tried: tried.lines,
        )
        if found.lines:
            return found
    return None


def _reads(name: str, lines: Sequence[bytes]) -> int:
    log_format = _compiled(name)
    return sum(is_access(log_format, line) for line in lines)


@lru_cache(len(PRESETS))
def _compiled(name: str) -> LogFormat:
    return compile_log(name)
