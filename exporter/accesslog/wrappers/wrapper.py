"""
What container runtimes put around a line, taken away: blocks of whole lines in and out.

A runtime cuts long lines in parts. The parts of one stream (standard output or error) are joined,
also across blocks and rotations, and count as one line.

Source: kubernetes, CRI log format (`<time> <stream> <tags> <text>`, tags F or P, then others after
a colon); docker, json-file driver (16 KiB parts, the last one ends with a line feed).
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator

from exporter.accesslog.possessive import compiled

MAX_LINE = 64 << 10
_STREAMS = ("stdout", "stderr", "")
"""The last one is of lines that name none of the others, so that parts cannot be many."""

_CRI_WHOLE = compiled(rb"^[^ \n]++ std(?:out|err) F(?::[^ \n]*+)? ([^\n]*+)\n", re.MULTILINE)
_CRI = compiled(rb"[^ ]++ (std(?:out|err)) ([FP])(?::[^ ]*+)? (.*+)", re.DOTALL)
_DOCKER_WHOLE = compiled(
    rb'^\{"log":"([^"\\\n]*+(?:\\"[^"\\\n]*+)*+)\\n","stream":"std(?:out|err)"[^\n]*+\}\n',
    re.MULTILINE,
)


class Wrapper(ABC):
    """Unwraps the lines of one container; holds the part of a line that waits for its rest."""

    def __init__(self) -> None:
        self.truncated = 0
        """Lines that were longer than MAX_LINE, of which nothing is kept."""
        self._parts: dict[str, bytes] = {}
        self._skipping: set[str] = set()

    def unwrap(self, block: bytes) -> bytes:
        """Return the lines inside *block*; one that is not wrapped as it should be is empty."""
        if not self._parts and not self._skipping:
            whole = self._all_whole(block)
            if whole is not None:
                return whole
        lines = [self._join(*row) for line in block.split(b"\n")[:-1] for row in self._rows(line)]
        return b"".join(line + b"\n" for line in lines if line is not None)

    @property
    def parts(self) -> dict[str, bytes]:
        """Return what waits for its rest, by stream; may be set."""
        return dict(self._parts)

    @parts.setter
    def parts(self, parts: dict[str, bytes]) -> None:
        self._parts = {
            stream: part
            for stream, part in parts.items()
            if stream in _STREAMS and len(part) <= MAX_LINE
        }

    def _join(self, stream: str, text: bytes, last: bool) -> bytes | None:
        """Return the line that *text* completes, or None if it does not, or is too long."""
        if stream in self._skipping:
            if last:
                self._skipping.discard(stream)
            return None
        text = self._parts.pop(stream, b"") + text
        if len(text) > MAX_LINE:
            self.truncated += 1
            if not last:
                self._skipping.add(stream)
            return None
        if last:
            return text
        self._parts[stream] = text
        return None

    @abstractmethod
    def _all_whole(self, block: bytes) -> bytes | None:
        """Return the lines if all are whole ones, fast; else None."""

    @abstractmethod
    def _rows(self, line: bytes) -> Iterator[tuple[str, bytes, bool]]:
        """Yield the stream of a line, its text, and whether that is the last part."""


class Cri(Wrapper):
    """containerd's and CRI-O's files."""

    def _all_whole(self, block: bytes) -> bytes | None:
        texts = _CRI_WHOLE.findall(block)
        return b"\n".join([*texts, b""]) if len(texts) == block.count(b"\n") else None

    def _rows(self, line: bytes) -> Iterator[tuple[str, bytes, bool]]:
        matched = _CRI.fullmatch(line)
        if matched is None:
            yield "", b"", True
        else:
            yield matched[1].decode(), matched[3], matched[2] == b"F"


class Docker(Wrapper):
    """Docker's json-file driver."""

    def _all_whole(self, block: bytes) -> bytes | None:
        texts = _DOCKER_WHOLE.findall(block)
        if len(texts) != block.count(b"\n"):
            return None
        return b"\n".join([*texts, b""]).replace(rb"\"", b'"')

    def _rows(self, line: bytes) -> Iterator[tuple[str, bytes, bool]]:
        try:
            told = json.loads(line)
            text, stream = told["log"].encode(), told.get("stream", "")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            yield "", b"", True
            return
        last = text.endswith(b"\n")
        # A line feed inside would be two lines.
        stream = stream if stream in _STREAMS else ""
        yield stream, text.removesuffix(b"\n").replace(b"\n", b" "), last


def wrapper(name: str) -> Wrapper | None:
    """Return a new wrapper called *name*, None for none."""
    return {"cri": Cri, "docker": Docker}[name]() if name != "none" else None
