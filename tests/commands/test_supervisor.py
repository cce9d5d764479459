"""A stage that fails is started again, and one that hangs is named."""

import asyncio
import gc
import itertools
from weakref import WeakSet

import pytest
from structlog.testing import capture_logs

from exporter.commands.run.heartbeats import LIMITS, USUAL_LIMIT, Heartbeats
from exporter.commands.run.stages import Stages, WantedStage, measure_lag, on_event, ticking
from exporter.commands.run.supervisor import FIRST, HEALTHY, LONGEST, Supervisor
from exporter.model.stages import StageName
from tests.fakes.virtual import until


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


class Kept:
    """A supervisor, and what it says."""

    def __init__(self):
        self.restarts, self.problems = [], {}
        self.hearts = Heartbeats(lambda: 1_700_000_000.0 + self.now())
        self.supervisor = Supervisor(
            self.hearts, restarted=self.restarts.append, problems=self, uniform=lambda _, high: high
        )
        self.keep = self.supervisor.keep

    def problem(self, what, message):
        self.problems[what] = message

    def solved(self, what):
        self.problems.pop(what, None)

    @staticmethod
    def now():
        return asyncio.get_running_loop().time()

    async def live(self, seconds):
        """Let time pass, as the event loop of a daemon sees it."""
        end = self.now() + seconds
        while self.now() < end:
            await asyncio.sleep(0.5)
            self.hearts.passed(0.5)


async def test_a_stage_that_fails_is_started_again_after_longer_and_longer_waits(logs):
    kept, starts = Kept(), []

    async def stage(_):
        starts.append(kept.now())
        if len(starts) < 10:
            msg = "odd"
            raise ValueError(msg)
        await asyncio.Event().wait()

    task = asyncio.create_task(kept.keep(StageName.LEAKS, "", stage))
    await until(lambda: len(starts) == 10, within=300)
    waits = [later - one for one, later in itertools.pairwise(starts)]
    assert waits[:3] == pytest.approx([2 * FIRST, 4 * FIRST, 8 * FIRST])
    assert waits == sorted(waits)
    assert max(waits) <= LONGEST
    assert kept.restarts == [StageName.LEAKS] * 9
    assert kept.problems["stage leaks"].startswith("failed 9 times in a row, last with ValueError")
    assert {(each["event"], each["stage"]) for each in logs} == {("stage failed", "leaks")}
    assert isinstance(logs[0]["exc_info"], ValueError)
    await kept.live(HEALTHY + 1)
    assert kept.problems == {}
    task.cancel()


async def test_after_a_good_while_the_waits_are_short_again():
    kept, starts = Kept(), []

    async def stage(_):
        starts.append(kept.now())
        await asyncio.sleep(HEALTHY + 1 if len(starts) == 5 else 0)
        raise ValueError

    task = asyncio.create_task(kept.keep(StageName.LEAKS, "", stage))
    await until(lambda: len(starts) == 7, within=600)
    assert starts[6] - starts[5] == pytest.approx(4 * FIRST)
    task.cancel()


async def test_a_wait_that_was_cancelled_is_a_failure_and_cancelling_the_stage_is_its_end():
    kept, starts = Kept(), []

    async def stage(_):
        starts.append(kept.now())
        if len(starts) == 1:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        await asyncio.Event().wait()

    task = asyncio.create_task(kept.keep(StageName.LEAKS, "", stage))
    await until(lambda: len(starts) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.restarts == [StageName.LEAKS]
    assert kept.problems == {}


async def test_of_many_stages_of_a_kind_one_problem_tells():
    kept = Kept()

    async def stage(_):
        raise ValueError

    tasks = [asyncio.create_task(kept.keep(StageName.LOG, f"pod-{n}", stage)) for n in range(50)]
    await until(lambda: len(kept.restarts) >= 50)
    (message,) = kept.problems.values()
    assert message.endswith("; and 49 more")
    for task in tasks:
        task.cancel()


async def test_a_stage_that_returns_has_failed_and_no_other_is_touched():
    kept, others = Kept(), []

    async def ends(_):
        return

    async def goes_on(_):
        others.append(kept.now())
        await asyncio.Event().wait()

    wanted = [WantedStage(StageName.LEAKS, ends), WantedStage(StageName.PROBES, goes_on)]
    stages = Stages(lambda: wanted, kept)
    async with asyncio.TaskGroup() as group:
        await stages.start(group)
        await until(lambda: len(kept.restarts) == 3)
        assert kept.problems["stage leaks"].endswith(
            "please report it with the traceback in the log"
        )
        stages.stop()
    assert len(others) == 1


async def test_an_event_whose_act_failed_is_not_forgotten():
    kept, acts, event = Kept(), [], asyncio.Event()

    async def act():
        acts.append(kept.now())
        if len(acts) == 1:
            raise ValueError

    task = asyncio.create_task(kept.keep(StageName.RELOAD, "", on_event(event, act)))
    event.set()
    await until(lambda: len(acts) == 2)
    await kept.live(60)
    assert len(acts) == 2
    task.cancel()


async def test_a_stage_that_hangs_is_named_with_its_limit():
    kept = Kept()

    async def hangs(ticks):
        async for _ in ticks:
            await asyncio.Event().wait()

    task = asyncio.create_task(kept.keep(StageName.LOG, "/var/log/x", ticking(hangs, 0.25)))
    await kept.live(USUAL_LIMIT - 2)
    assert kept.hearts.silent() is None
    await kept.live(4)
    assert kept.hearts.silent() == (
        "stage log (/var/log/x) has been silent since 2023-11-14T22:30:00Z, limit 120 s"
    )
    task.cancel()
    await asyncio.wait([task])
    assert kept.hearts.silent() is None


async def test_who_ticks_or_waits_for_somebody_else_does_not_hang():
    kept = Kept()

    async def ticks(given):
        async for _ in given:
            pass

    stages = [ticking(ticks, 5.0), on_event(asyncio.Event(), ticks)]
    tasks = [asyncio.create_task(kept.keep(StageName.LEAKS, "", stage)) for stage in stages]
    await kept.live(10 * max(*LIMITS.values(), USUAL_LIMIT))
    assert kept.hearts.silent() is None
    for task in tasks:
        task.cancel()


async def test_a_stage_that_fails_again_and_again_does_not_hang():
    kept = Kept()

    async def stage(_):
        raise ValueError

    task = asyncio.create_task(kept.keep(StageName.LEAKS, "", stage))
    for _ in range(20):
        await kept.live(USUAL_LIMIT)
        assert kept.hearts.silent() is None
    task.cancel()


async def test_a_process_that_was_suspended_does_not_hang_after_it_woke_up():
    """Its clock went on, but no stage could say anything."""
    kept, lags = Kept(), []

    async def hangs(pulse):
        pulse.beat()
        await asyncio.Event().wait()

    async def lag(pulse):
        await measure_lag(lags.append, kept.hearts.passed, pulse)

    tasks = [
        asyncio.create_task(kept.keep(StageName.LOG, "", hangs)),
        asyncio.create_task(kept.keep(StageName.EVENT_LOOP, "", lag)),
    ]
    await asyncio.sleep(10)
    kept.hearts.passed(100_000.0)
    await asyncio.sleep(USUAL_LIMIT - 13)
    assert kept.hearts.silent() is None
    await asyncio.sleep(5)
    assert kept.hearts.silent().startswith("stage log has been silent since ")
    for task in tasks:
        task.cancel()


async def test_a_stage_that_was_cancelled_leaves_nothing_behind():
    class Held:
        """What a stage works with."""

    kept, begun, held = Kept(), asyncio.Event(), WeakSet()

    async def stage(_):
        work = Held()
        held.add(work)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            begun.set()
            await asyncio.Event().wait()

    gc.collect()
    gc.disable()
    try:
        task = asyncio.create_task(kept.keep(StageName.LOG, "", stage))
        await begun.wait()
        assert len(held) == 1
        task.cancel()
        await asyncio.wait([task])
        del task
        assert len(held) == 0
    finally:
        gc.enable()
