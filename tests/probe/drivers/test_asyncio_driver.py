"""The asyncio driver alone; what it has in common with others is in test_conformance."""

import asyncio
import time

import pytest

from exporter.probe.drivers import asyncio_driver
from exporter.probe.drivers.runner import Runner
from tests.probe.drivers.test_conformance import waiting

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])


async def test_a_deadline_is_met_between_two_checks_for_a_stall(driver, monkeypatch):
    monkeypatch.setattr(asyncio_driver, "_BEAT", 600.0)
    with Runner(driver) as runner:
        runner.start(waiting(300), lambda _: None)
        runner.start(waiting(0.02), lambda _: runner.stop())
        async with asyncio.timeout(30):
            await runner.ended()


async def test_a_timer_that_is_early_is_set_again(driver):
    """Event loops with timers of whole milliseconds call back before the time that was asked."""
    rung, done = [], asyncio.Event()

    def ring():
        rung.append(time.monotonic())
        done.set()

    alarm, when = driver.alarm(ring), time.monotonic() + 0.05
    alarm.set(when)
    alarm._ring()
    async with asyncio.timeout(30):
        await done.wait()
    alarm.close()
    assert len(rung) == 1
    assert rung[0] >= when
