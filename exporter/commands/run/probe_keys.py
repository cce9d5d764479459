"""The file with the keys of probes, read again whenever it changes."""

import asyncio
from collections.abc import AsyncIterable, Callable
from pathlib import Path

import structlog

from exporter.commands.load import read_keys
from exporter.commands.run.problems import Problems
from exporter.config.yaml_reader import SettingsError
from exporter.files.stamp import FileStamp

PROBLEM = "probe keys"

log = structlog.get_logger()


class ProbeKeys:
    """
    Watches a key file, so that keys are changed without a restart.

    Args:
        use: Called with the keys of each version of the file that can be used.
        changing: Held while keys change, because a reload reads the file, too.
        problems: Shows why a version of the file cannot be used; the keys before it stay.
    """

    def __init__(
        self, use: Callable[[tuple[bytes, ...]], None], changing: asyncio.Lock, problems: Problems
    ) -> None:
        self._use, self._changing, self._problems = use, changing, problems

    async def watch(self, path: Path, ticks: AsyncIterable[None]) -> None:
        """Look at the file *path* at each of *ticks*. A symlink is followed."""
        # Before the first look it may have changed since it was read at the start.
        stamp: FileStamp | None = FileStamp(0, 0, 0, 0)
        try:
            async for _ in ticks:
                newest = await asyncio.to_thread(FileStamp.take, path)
                if newest != stamp:
                    stamp = newest
                    async with self._changing:
                        await self._read(path)
        finally:
            self._problems.solved(PROBLEM)

    async def _read(self, path: Path) -> None:
        try:
            keys = await asyncio.to_thread(read_keys, str(path))
        except SettingsError as error:
            log.error("probe keys rejected", error=str(error))  # noqa: TRY400 - one line
            self._problems.problem(PROBLEM, f"{error}; the keys that were read before are used")
            return
        self._problems.solved(PROBLEM)
        self._use(keys)
