"""What runs probes: that nothing is left of them, and that faults of ours are not swallowed."""

import asyncio

import pytest

from exporter.probe.drivers.runner import Engine, alone
from exporter.probe.drivers.waits import together
from tests.probe.drivers.test_epoll import silent


class OurFaultError(Exception):
    pass


async def breaks():
    raise OurFaultError


async def result(value):
    return value


async def test_a_result():
    assert await alone(result(3)) == 3


async def test_results_of_many_come_in_order():
    async def late():
        with silent(0.02) as sock:
            try:
                await sock
            except TimeoutError:
                return "late"

    assert await alone(together([late(), result(1), result(2)])) == ["late", 1, 2]


async def test_a_fault_ends_everything():
    with pytest.raises(OurFaultError):
        await alone(breaks())
    with pytest.raises(OurFaultError):
        await alone(together([result(1), breaks()]))


async def test_a_fault_in_what_is_done_with_a_result_ends_everything():
    def done(_):
        raise OurFaultError

    with Engine() as engine:
        engine.start(result(1), done)
        with pytest.raises(OurFaultError):
            await engine.ended()


async def test_a_fault_on_an_alarm_ends_everything():
    def act():
        raise OurFaultError

    with Engine() as engine:
        engine.alarm(act).when = 0.0
        with pytest.raises(OurFaultError):
            await engine.ended()


async def test_what_runs_at_the_end_is_closed_and_not_heard_of():
    closed, told = [], []

    async def waits():
        try:
            with silent(60) as sock:
                await sock
        finally:
            closed.append(sock.fileno())

    async def turns():
        with silent(60) as sock:
            while True:
                await sock.turn()

    with Engine() as engine:
        engine.start(waits(), told.append)
        engine.start(together([waits(), waits()]), told.append)
        engine.start(turns(), told.append)
        await asyncio.sleep(0.01)
    assert closed == [-1, -1, -1]
    await asyncio.sleep(0.01)
    assert told == []
    assert not engine.poller._waiting
    assert not engine.running


async def test_it_may_be_opened_again():
    engine = Engine()
    for _ in range(2):
        told = []
        with engine:
            engine.start(result(1), told.append)
        assert told == [1]
