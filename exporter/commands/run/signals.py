"""Signals: stop, reload, and where the process hangs."""

import asyncio
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

STOP_SECONDS = 4.0
"""Time for an orderly end; a process that hangs is ended then."""
_STANDARD_ERROR = 2
_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


@contextmanager
def handled(
    events: Mapping[signal.Signals, asyncio.Event], stop_seconds: float | None
) -> Iterator[None]:
    """
    Set the event of each signal that arrives.

    The handlers do not need the event loop, because it may be what hangs.

    Args:
        events: The event of each signal.
        stop_seconds: Time from SIGTERM or SIGINT until the process is ended with exit code 1, after
            it wrote to standard error where each thread hangs. A second such signal ends it at
            once. None: it is never ended by force.
    """
    loop = asyncio.get_running_loop()
    stopped: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        if number in _STOPPING and stop_seconds is not None:
            if stopped:
                os._exit(1)
            stopped.append(number)
            # A thread of C, which needs neither the event loop nor the interpreter's lock.
            faulthandler.dump_traceback_later(stop_seconds, exit=True, file=_STANDARD_ERROR)
        loop.call_soon_threadsafe(events[signal.Signals(number)].set)

    before = {number: signal.signal(number, handle) for number in events}
    if stop_seconds is not None and hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=_STANDARD_ERROR, all_threads=True)
    try:
        yield
    finally:
        # While the process ends, a second signal still ends it at once.
        if not stopped:
            _restore(before)


def extend(seconds: float) -> None:
    """Give a process that ends in good order this long from now on; nothing if none ends."""
    faulthandler.cancel_dump_traceback_later()
    faulthandler.dump_traceback_later(seconds, exit=True, file=_STANDARD_ERROR)


def _restore(before: Mapping[signal.Signals, Callable[..., object] | int | None]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
