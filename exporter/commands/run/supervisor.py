"""Starts a stage again after it failed."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

import structlog

from exporter.commands.run.heartbeats import Heartbeats
from exporter.model.frames import clear_all_frames
from exporter.model.stages import Pulse, Stage, StageName

FIRST, LONGEST = 0.5, 30.0
"""Seconds of the shortest and the longest wait until a stage is started again."""
HEALTHY = 120.0
"""Seconds without a failure after which the next wait is short again, and no problem is shown."""
MAX_TEXT = 200
"""Characters of an error that the page shows."""
log = structlog.get_logger()


class ShowsProblems(Protocol):
    """Where problems are shown."""

    def problem(self, what: str, message: str) -> None:
        """Show a problem until it is solved."""

    def solved(self, what: str) -> None:
        """Stop showing a problem."""


class Supervisor:
    """
    Keeps stages at work: `exporter.model.stages.Keeper`.

    A stage meets by itself whatever may come from outside. So what gets here is a bug; it must not
    take the other stages with it.

    Args:
        heartbeats: Watches the pulse of each stage.
        restarted: Called with the kind of each stage that is started again.
        problems: Shows which stages failed lately.
        uniform: Spreads the waits; `random.uniform`.
    """

    def __init__(
        self,
        heartbeats: Heartbeats,
        *,
        restarted: Callable[[StageName], None],
        problems: ShowsProblems,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._heartbeats, self._problems = heartbeats, problems
        self._restarted, self._uniform = restarted, uniform
        self._messages: dict[StageName, dict[str, str]] = {}

    async def keep(self, name: StageName, about: str, stage: Stage) -> None:
        """Run *stage* until it returns. If it fails, run it again after a while."""
        base, times = FIRST, 0
        clock = asyncio.get_running_loop().time
        recovery: asyncio.TimerHandle | None = None
        with self._heartbeats.pulse(name, about) as pulse:
            try:
                while True:
                    began = clock()
                    error = await _failure(stage, pulse)
                    if error is None:
                        return
                    if clock() - began > HEALTHY:
                        base, times = FIRST, 0
                    times, wait = times + 1, self._uniform(base, 2 * base)
                    base = min(2 * base, LONGEST / 2)
                    self._failed(name, about, error, wait)
                    self._show(name, about, _message(error, times))
                    if recovery is not None:
                        recovery.cancel()
                    pulse.rest()
                    await asyncio.sleep(wait)
                    self._restarted(name)
                    pulse.beat()
                    recovery = asyncio.get_running_loop().call_later(
                        HEALTHY, self._show, name, about, ""
                    )
            finally:
                if recovery is not None:
                    recovery.cancel()
                self._show(name, about, "")

    def _show(self, name: StageName, about: str, message: str) -> None:
        """Show what failed lately: one problem for all stages of a kind."""
        held = self._messages.setdefault(name, {})
        held.pop(about, None)
        if message:
            held[about] = f"{about} {message}".lstrip()
        if held:
            more = f"; and {len(held) - 1} more" if len(held) > 1 else ""
            self._problems.problem(f"stage {name}", f"{next(reversed(held.values()))}{more}")
        else:
            self._problems.solved(f"stage {name}")

    def _failed(self, name: StageName, about: str, error: Exception, wait: float) -> None:
        log.error(
            "stage failed",
            stage=name,
            about=about,
            error=_text(error),
            again_in_seconds=round(wait, 1),
            exc_info=error,
        )


async def _failure(stage: Stage, pulse: Pulse) -> Exception | None:
    """Run *stage* once; return the error that ended it, None if it returned."""
    try:
        await stage(pulse)
    except asyncio.CancelledError as error:
        if _is_cancelled():
            # The task keeps the error, whose frames keep the task, and all that the stage held.
            clear_all_frames(error)
            raise
        # Something that it waited for was cancelled, and not the stage.
        return RuntimeError(f"a wait was cancelled: {error!r}")
    except Exception as error:  # noqa: BLE001 - this is the place for all of them
        return error
    return None


def _is_cancelled() -> bool:
    """Return whether the current task was cancelled, and not only something it waited for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _message(error: Exception, times: int) -> str:
    often = "once" if times == 1 else f"{times} times in a row"
    return (
        f"failed {often}, last with {_text(error)}; it is started again each time. This is a bug: "
        "please report it with the traceback in the log"
    )


def _text(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__}: {error}".split())[:MAX_TEXT]
