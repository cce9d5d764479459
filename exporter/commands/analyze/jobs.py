"""Counts of log files, made by one process or by several at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.connection import wait

from exporter.accesslog.readers.past import FilePart, ReadError
from exporter.commands.analyze.count import LogCounter
from exporter.model.traffic import LogCounts

Read = Callable[[int], None]
Begin = Callable[[], LogCounter]
Task = tuple[str, FilePart]
"""A cluster, and a part of one of its logs."""
_counter: list[LogCounter] = []
"""What a process that counts was begun with."""


def count_all(
    tasks: Sequence[Task], jobs: int, read: Read, begin: Begin
) -> Iterator[tuple[str, LogCounts]]:
    """
    Yield the counts of each of *tasks*, in their order.

    Args:
        tasks: What is counted.
        jobs: How many processes count at once.
        read: Told how many bytes were read.
        begin: Makes what counts; called once in each process.

    Raises:
        ReadError: If a file cannot be read, or a process that counts was killed.
    """
    if jobs <= 1 or len(tasks) <= 1:
        counter = begin()
        yield from ((cluster, counter.count(cluster, part, read)) for cluster, part in tasks)
        return
    # A fork has all that is imported; the thread of the progress bar begins later.
    method = "fork" if "fork" in get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), get_context(method), initializer=_begin, initargs=(begin,)
    )
    try:
        for (cluster, _), (counts, size) in zip(tasks, pool.map(_work, tasks), strict=True):
            read(size)
            yield cluster, counts
    except BrokenProcessPool as error:
        msg = "a process that counts was killed, perhaps for want of memory; try --jobs 1"
        raise ReadError(msg) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(begin: Begin) -> None:
    # The first process ends the others, by Ctrl-C or by its own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _counter[:] = [begin()]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(task: Task) -> tuple[LogCounts, int]:
    """Return the counts of *task*, and how many bytes were read."""
    sizes: list[int] = []
    return _counter[0].count(*task, sizes.append), sum(sizes)
