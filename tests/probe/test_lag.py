"""Whether it is told that the event loop was held up."""

import asyncio
import time

import pytest

from exporter.probe.lag import BOUND, LagWatch


def hold_up(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


@pytest.mark.parametrize("after", [0.0, 0.003, 0.007])
async def test_a_loop_that_was_held_up_is_told_to_all_who_ran(after):
    watch, clock = LagWatch(), asyncio.get_running_loop().time
    watch.begin()
    watch.begin()
    began = clock()
    await asyncio.sleep(after)
    hold_up(BOUND + 0.001)
    assert watch.end(began)
    # The other one ends later, after the beat that was late.
    await asyncio.sleep(0.02)
    assert watch.end(began)


async def test_who_runs_afterwards_is_not_told():
    watch, clock = LagWatch(), asyncio.get_running_loop().time
    watch.begin()
    hold_up(BOUND + 0.02)
    assert watch.end(clock() - 1)
    watch.begin()
    assert not watch.end(clock())


async def test_while_nothing_runs_nobody_watches():
    watch, loop = LagWatch(), asyncio.get_running_loop()
    watch.begin()
    watch.begin()
    watch.end(loop.time())
    watch.end(loop.time())
    assert watch._beat is None
