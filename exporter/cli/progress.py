"""A progress bar for reading files, on a terminal only."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BAR_AFTER = 1.0
"""Seconds after which the bar appears."""


@contextmanager
def progress(files: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """
    Show how much of *files* has been read, if standard error is a terminal.

    Yields:
        What is called with each number of bytes read.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    total = sum(Path(name).stat().st_size for name in files if Path(name).is_file())
    bar = Progress(
        "reading",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task, began = bar.add_task("reading", total=total or None), time.monotonic()

    def read(number: int) -> None:
        bar.update(task, advance=number)
        if not bar.live.is_started and time.monotonic() - began > BAR_AFTER:
            bar.start()

    try:
        yield read
    finally:
        bar.stop()
