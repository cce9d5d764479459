"""When it is saved how far logs were read."""

import asyncio

from exporter.accesslog.checkpoint import Checkpoint
from exporter.accesslog.saver import SAVE_EVERY, SCRAPED, TOUCH_EVERY, Exposures, Saver

Places = dict[str, int]


def places(offset, **more):
    return {"log": offset} | more


async def test_it_saves_once_in_a_while_and_tells_of_failures(tmp_path):
    keeper, failures = Checkpoint(tmp_path / "state", "x", Places), []
    saver = Saver(keeper, failures.append, Exposures())
    assert saver.is_due(counted=False)
    saver.note(places(30))
    assert not saver.is_due(counted=False)
    await saver.save()
    assert saver.is_due(counted=False)
    assert saver.is_due(counted=True)
    assert await asyncio.to_thread(keeper.load) == places(30)
    saver.note(places(30))
    assert saver.is_due(counted=False)
    (tmp_path / "state").rename(tmp_path / "away")
    (tmp_path / "state").touch()
    saver.note(places(90))
    await saver.save()
    assert "cannot be written" in failures[0]
    assert not Saver(None, failures.append, Exposures()).is_due(counted=False)


class Kept:
    """Stands in for a checkpoint."""

    def __init__(self):
        self.saved, self.touched = None, 0

    def touch(self):
        self.touched += 1

    def save(self, kept, *, turn):
        self.saved, self.turn = kept, turn


async def scrape(exposures):
    exposures.mark()
    await exposures.expose()


async def test_places_are_saved_with_each_scrape_and_not_between_two():
    """So lines that no scrape exposed are counted again by the process after a crash."""
    kept, exposures = Kept(), Exposures()
    saver = Saver(kept, print, exposures)
    running = asyncio.create_task(saver.run())
    saver.note(places(1))
    await asyncio.sleep(2 * SAVE_EVERY)
    assert kept.saved == places(1), "nobody scrapes yet"
    saver.note(places(2))
    await scrape(exposures)
    assert kept.saved == places(2)
    saver.note(places(3))
    await asyncio.sleep(SCRAPED / 2)
    assert kept.saved == places(2)
    await asyncio.sleep(SCRAPED)
    assert kept.saved == places(3), "nobody scrapes any more"
    running.cancel()
    await asyncio.wait([running])
    saver.note(places(4))
    await scrape(exposures)
    assert kept.saved == places(3), "it ended"


async def test_what_came_after_the_newest_scrape_is_saved_with_where_it_began():
    kept, exposures, now = Kept(), Exposures(), places(1)
    saver = Saver(kept, print, exposures, lambda: dict(now), lambda held, new: new | held)
    running = asyncio.create_task(saver.run())
    await asyncio.sleep(0)
    await scrape(exposures)
    now |= places(2, other=0)
    await asyncio.sleep(2 * SAVE_EVERY)
    now |= places(3, other=9)
    await asyncio.sleep(2 * SAVE_EVERY)
    assert kept.saved == places(1, other=0)
    await scrape(exposures)
    assert kept.saved == places(3, other=9)
    running.cancel()


async def test_only_what_was_sent_is_saved_with_a_scrape():
    """Who is killed while it sends, or counts meanwhile, has these lines counted again."""
    kept, exposures = Kept(), Exposures()
    saver = Saver(kept, print, exposures)
    running = asyncio.create_task(saver.run())
    await asyncio.sleep(0)
    saver.note(places(1))
    await scrape(exposures)
    saver.note(places(2))
    exposures.mark()
    saver.note(places(3))
    assert kept.saved == places(1)
    await exposures.expose()
    assert kept.saved == places(2)
    # The same text was sent to another one, too.
    await exposures.expose()
    assert kept.saved == places(2)
    running.cancel()


async def test_a_disk_that_hangs_holds_no_scrape_up():
    exposures, never = Exposures(), asyncio.Event()

    class Hanging:
        expose = staticmethod(never.wait)

    exposures.tell(Hanging(), "hanging")
    await exposures.expose()


async def test_what_was_saved_is_touched_so_that_its_age_tells_when_reading_ended():
    kept = Kept()
    running = asyncio.create_task(Saver(kept, print, Exposures()).run())
    await asyncio.sleep(10 * TOUCH_EVERY)
    assert 9 <= kept.touched <= 10
    running.cancel()


async def test_at_an_orderly_end_it_saves_what_a_scrape_brought():
    """What no scrape brought is counted again by the next process, as after a crash."""
    exposures = Exposures()
    for scraped in (False, True):
        kept = Kept()
        saver = Saver(kept, print, exposures, name="log")
        running = asyncio.create_task(saver.run())
        saver.note(places(1))
        await asyncio.sleep(2 * SAVE_EVERY)
        if scraped:
            await scrape(exposures)
        running.cancel()
        await asyncio.wait([running])
        saver.note(places(2))
        await saver.end()
        assert kept.saved == places(1 if scraped else 2)
    # A leader that ends waits for one more scrape.
    await scrape(exposures)
    assert kept.saved == places(2)
    # After a reload another saver goes on.
    saver.note(places(3))
    following = asyncio.create_task(Saver(Kept(), print, exposures, name="log").run())
    await asyncio.sleep(SAVE_EVERY)
    await scrape(exposures)
    assert kept.saved == places(2)
    following.cancel()
