"""The epoll driver alone; what it has in common with others is in test_conformance."""

import asyncio
import select
import time

import pytest

from exporter.probe.drivers.runner import Runner
from exporter.probe.drivers.waits import READ, WRITE
from tests.probe.drivers.test_conformance import hold_up, waiting

pytestmark = pytest.mark.asyncio(loop_factories=["epoll"])


async def test_kinds_of_readiness_are_those_of_the_kernel():
    assert (READ, WRITE) == (select.EPOLLIN, select.EPOLLOUT)


async def test_a_process_that_did_not_run_was_stalled(driver):
    """Not by the loop's own work: stopped, or kept from a processor, while a probe waits."""
    began = time.monotonic()
    with Runner(driver) as runner:
        runner.start(waiting(60), lambda _: None)
        sleeps = []

        class Stopped:
            def poll(self, seconds, most):
                sleeps.append(seconds)
                hold_up(0.1)
                return real.poll(0, most)

        real, driver._epoll = driver._epoll, Stopped()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        driver._epoll = real
        assert driver.stalled_at > began
    assert sleeps
