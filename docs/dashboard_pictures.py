"""Take the pictures of the boards: of the demo's story, and of ten clusters that are made up."""

import asyncio
import tempfile
from pathlib import Path

from dashboards.look import CLUSTERS, LOCALITIES, MODES
from docs.pictures import DOCS, TEN, sources
from docs.png import small, stamped
from tests.fakes.boards import BOARDS
from tests.fakes.crowd import END, EVERY, TEN_CLUSTERS, blocks_of, served
from tests.fakes.rendered import page_of
from tests.fakes.staged import staged

COLOURS = {*MODES.values(), *LOCALITIES.values(), *CLUSTERS}
"""Lines are thin, and the nearest colour of a large area would mean something else."""
BEFORE = 10
SCALE = 0.7


def keep(name: str, picture: bytes) -> None:
    """Write a picture with the hash of what it shows."""
    made = stamped(small(picture, COLOURS), sources()[name])
    (DOCS / name).write_bytes(made)
    print(f"{name}: {len(made):,} bytes", flush=True)


async def of_the_story(folder: Path) -> None:
    """Play the story and take the pictures of its end."""
    async with staged(folder) as story:
        # The clusters are gone by now: "now" is the last moment at which all was well again.
        span = {"start": story.begun - BEFORE, "end": story.ended - 2}
        for uid in BOARDS:
            async with page_of(uid, story.url, folder, scale=SCALE, **span) as tab:
                keep(f"{uid}.png", await tab.picture())


async def of_ten_clusters(folder: Path) -> None:
    """Take the picture of the overview of ten clusters."""
    blocks_of(folder, TEN_CLUSTERS)
    span = {"start": TEN_CLUSTERS.start, "end": END - EVERY, "scrape": EVERY}
    with served(folder) as url:
        async with page_of("clusterset-overview", url, folder, scale=SCALE, **span) as tab:
            keep(TEN, await tab.picture())


async def main() -> None:
    """Take all pictures."""
    for take in (of_ten_clusters, of_the_story):
        with tempfile.TemporaryDirectory(prefix="clusterset-demo-") as name:
            await take(Path(name))


asyncio.run(main())
