"""What a fuzz target is, and how inputs are kept as text."""

import ast
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
"""One file a target: inputs that reach deep, and inputs that once did harm. A line is one input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser of bytes from outside."""

    name: str
    check: Callable[[bytes], object]
    """Parses any bytes, and asserts what must hold of the result."""
    errors: tuple[type[Exception], ...] = ()
    """The named errors by which it refuses bytes. Every other exception is a crash."""
    words: tuple[bytes, ...] = ()
    """Words of the format, which generated inputs contain."""

    def run(self, data: bytes) -> None:
        """Run the target once; raise what it must not raise."""
        try:
            self.check(data)
        except self.errors as error:
            told = str(error)
            # What is logged and shown is one line.
            assert "\n" not in told, told

    @property
    def inputs(self) -> list[bytes]:
        """Return the inputs that are kept in the tree."""
        lines = (CORPUS / f"{self.name}.txt").read_text("ascii").splitlines()
        return [read_input(line) for line in lines]


def read_input(line: str) -> bytes:
    """Return the bytes of a line of a corpus file, which is a bytes literal of Python."""
    return ast.literal_eval(line)


def write_input(data: bytes) -> str:
    """Return *data* as a line of a corpus file."""
    return repr(data)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the targets that need one."""
    return asyncio.new_event_loop()


def text(data: bytes) -> str:
    """Return bytes as the text of a file or a header."""
    return data.decode("utf-8", "replace")


def halves(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return three parts of *data*, cut where its first byte says."""
    cut = data[0] if data else 0
    one, two = sorted((cut % (len(data) + 1), cut * 7 % (len(data) + 1)))
    return data[:one], data[one:two], data[two:]
