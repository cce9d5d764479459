"""The command of a drill: a line for the shell, in a process group that ends with the drill."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

STOP_SECONDS = 5.0
"""Time that the command has after SIGTERM, so that it can bring a cluster back."""
_POLL = 0.05
_STANDARD_ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How the command ended."""

    line: str
    exit_code: int | None
    """None if it was stopped; negative for the number of the signal that ended it."""
    seconds: float
    """How long it ran."""


class ShellCommand:
    """
    Runs *line* by `/bin/sh -c`, as watch(1) does. What it prints goes to standard error.

    The process that ended is not reaped before `stop`, so nobody else gets the id of its group.
    """

    def __init__(self, line: str, clock: Callable[[], float]) -> None:
        self.line, self._clock = line, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._seconds: float | None = None
        self._exit_code: int | None = None

    async def start(self) -> None:
        """Start it."""
        self._began = self._clock()
        self._process = await asyncio.to_thread(
            subprocess.Popen,
            ["/bin/sh", "-c", self.line],
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            stderr=_STANDARD_ERROR,
            start_new_session=True,
        )

    @property
    def running_for(self) -> float | None:
        """Return for how many seconds it has been running; None if it does not run."""
        if self._process is None or self._has_ended():
            return None
        return self._clock() - self._began

    @property
    def ended_for(self) -> float:
        """Return for how many seconds it has ended; 0 if it has not."""
        if self._seconds is None:
            return 0.0
        return self._clock() - self._began - self._seconds

    @property
    def result(self) -> CommandResult | None:
        """Return how it ended; None if it was never started or still runs."""
        if self._process is None or self._seconds is None:
            return None
        return CommandResult(line=self.line, exit_code=self._exit_code, seconds=self._seconds)

    async def stop(self) -> None:
        """End it with all processes of its group: SIGTERM, and after STOP_SECONDS SIGKILL."""
        process = self._process
        if process is None:
            return
        ended = self._has_ended()
        self._send(signal.SIGTERM)
        end = self._clock() + STOP_SECONDS
        # Nothing tells when a process of the group ends that is not our child.
        while self._is_left() and self._clock() < end:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
        self._send(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        if not ended:
            self._seconds = self._clock() - self._began

    def _has_ended(self) -> bool:
        if self._seconds is None and self._process is not None:
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                exited = found.si_code == os.CLD_EXITED
                self._exit_code = found.si_status if exited else -found.si_status
                self._seconds = self._clock() - self._began
        return self._seconds is not None

    def _is_left(self) -> bool:
        """Return whether a process of the group is left; reaps the first one."""
        if self._process is None or self._process.poll() is None:
            return True
        try:
            os.killpg(self._process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
