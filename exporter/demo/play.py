"""The whole demo: builds the clusterset, plays the story, prints the comparison."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from exporter.demo import parts
from exporter.demo.clusterset import clusterset
from exporter.demo.layout import NoRoomError, claim, clusterset_name
from exporter.demo.observer import Narrator
from exporter.demo.story import Story

IDS = ("k8s-node4", "k8s-node5", "k8s-node6")
FAILURE, INTERRUPTED = 1, 130


async def play(*, clusters: int, keep: bool, prometheus: bool, narrator: Narrator) -> int:
    """
    Build a clusterset, play the story and print the comparison.

    Args:
        clusters: The number of clusters, 2 or 3.
        keep: Keep everything running afterwards, until interrupted.
        prometheus: Also start a prometheus that scrapes all exporters.
        narrator: Tells what happens.

    Returns:
        The exit code: 0 if everything was reported as it was staged.
    """
    with _interruptible() as interrupted:
        try:
            return await _play(clusters, keep=keep, prometheus=prometheus, narrator=narrator)
        except (parts.MissingError, NoRoomError, TimeoutError) as error:
            narrator.title("clusterset-exporter demo:", str(error))
            return FAILURE
        except asyncio.CancelledError:
            if not interrupted:
                raise
            narrator.say("interrupted; all is stopped and removed")
            return INTERRUPTED


async def _play(clusters: int, *, keep: bool, prometheus: bool, narrator: Narrator) -> int:
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterset-demo-"))
        folder = Path(name)
        sites = stack.enter_context(claim(list(IDS[:clusters]), folder))
        urls = [f"{site.id}: {site.url}" for site in sites]
        if prometheus:
            part, url = parts.prometheus(sites, folder)
            urls.append(f"prometheus: {url}")
        pages = "\n  ".join(urls)
        narrator.say(
            f"Clients ask for {clusterset_name()}. Status pages while this runs:\n  {pages}"
        )
        made = await stack.enter_async_context(clusterset(sites, folder))
        if prometheus:
            await stack.enter_async_context(parts.running([part]))
        story = Story(made, narrator)
        await story.play()
        narrator.compare(story.rows)
        narrator.title("All was reported as staged." if story.equal else "Not all was as staged.")
        if keep:
            narrator.say(f"Still running; Ctrl-C ends it:\n  {pages}")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                narrator.say("all is stopped and removed")
        return 0 if story.equal else FAILURE


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Cancel this task at the first SIGINT or SIGTERM; later ones must not stop the cleaning up."""
    loop, task, seen = asyncio.get_running_loop(), asyncio.current_task(), list[int]()

    def interrupt(number: int) -> None:
        if not seen and task is not None:
            task.cancel()
        seen.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, interrupt, number)
    try:
        yield seen
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
