"""The process's own log messages: structlog in, lines on standard error out."""

import io
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

import structlog

from exporter.commands.run.repeats import Repeats


class _StandardError(io.TextIOBase):
    """Standard error. A full disk or a closed pipe behind it must not end what is logged."""

    def __init__(self) -> None:
        self._file = sys.stderr

    def write(self, text: str, /) -> int:
        """Write *text*, if that is possible."""
        with suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError, ValueError):
            self._file.flush()


class _FromLibraries(logging.Handler):
    """Passes on what a library logs, such as an error that asyncio found in a callback."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = record.getMessage().splitlines() or [""]
        structlog.get_logger().log(
            record.levelno,
            "library reported a problem",
            library=record.name,
            error=lines[0],
            exc_info=record.exc_info,
        )


def _log_unraisable(found: "sys.UnraisableHookArgs") -> None:
    """Log what was raised where nobody can catch it, such as in a destructor."""
    structlog.get_logger().error(
        "error was passed over",
        where=found.err_msg or type(found.object).__name__,
        error=repr(found.exc_value),
        exc_info=found.exc_value,
    )


def _log_of_thread(found: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread."""
    name = "" if found.thread is None else found.thread.name
    structlog.get_logger().error(
        "thread ended by an error",
        thread=name,
        error=repr(found.exc_value),
        exc_info=found.exc_value,
    )


def log_to_stderr(level: str, form: str) -> Callable[[str | None], None]:
    """
    Write log messages to standard error, those of libraries too, and none again and again.

    Args:
        level: The least severe level that is written: debug, info, warn or error.
        form: json for JSON lines, anything else for logfmt.

    Returns:
        A function that changes the level while the process runs; None stands for *level*.
    """
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    )
    structlog.configure(
        processors=[
            Repeats(time.monotonic),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=_at_least(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _StandardError())),
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_of_thread

    def use_level(other: str | None) -> None:
        structlog.configure(
            **(structlog.get_config() | {"wrapper_class": _at_least(other or level)})
        )

    return use_level


def no_log() -> None:
    """Write no log messages. Commands for people print what they find."""
    structlog.configure(wrapper_class=_at_least("critical"))


def _at_least(level: str) -> type[structlog.typing.FilteringBoundLogger]:
    return structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])
