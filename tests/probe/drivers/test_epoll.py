"""The event loop of probes: what asyncio and what probes have to do, beside each other."""

import asyncio
import socket
import time

import pytest

from exporter.probe.drivers import epoll as loop
from exporter.probe.drivers.epoll import MAX_HELD_UP, Alarm, poller
from exporter.probe.drivers.runner import Engine, alone
from exporter.probe.drivers.waits import IN, Socket, together
from tests.fakes.servers import HOST


def hold_up(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def silent(within):
    """Return a socket on which nothing ever happens."""
    sock = Socket(socket.AF_INET, socket.SOCK_DGRAM, time.monotonic() + within)
    sock.bind((HOST, 0))
    sock.wants = IN
    return sock


async def waiting(within):
    with silent(within) as sock:
        try:
            await sock
        except TimeoutError:
            return time.monotonic() - sock.until
    return None


async def test_a_wait_ends_in_time():
    late = await alone(waiting(0.05))
    assert 0 <= late < 1


async def test_many_waits_end_each_at_its_time():
    limits = [0.2, 0.05, 0.1, 0.05]
    late = await alone(together([waiting(limit) for limit in limits]))
    assert len(late) == 4
    assert all(0 <= each < 1 for each in late)


async def test_probes_do_not_keep_asyncio_from_its_work_nor_the_other_way_round():
    ticks, probes = [], []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.005)

    async def busy(until):
        with silent(60) as sock:
            while time.monotonic() < until:
                probes.append(time.monotonic())
                await sock.turn()

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await alone(busy(time.monotonic() + 0.2))
    ticking.cancel()
    assert len(ticks) > 10
    assert len(probes) > 100


async def test_what_a_probe_calls_soon_is_called_soon():
    asked = asyncio.Event()

    async def ask():
        with silent(0.02) as sock:
            try:
                await sock
            except TimeoutError:
                asked.set()

    with Engine() as engine:
        engine.start(ask(), lambda _: None)
        # Nothing but the probe would wake the loop before that.
        async with asyncio.timeout(5):
            await asked.wait()


async def test_a_call_from_another_thread_wakes_the_loop():
    running = asyncio.get_running_loop()
    done = asyncio.Event()
    await asyncio.to_thread(lambda: running.call_soon_threadsafe(done.set))
    async with asyncio.timeout(5):
        await done.wait()


async def test_an_alarm_rings_once_at_its_time_and_may_be_set_again():
    rung, done = [], asyncio.Event()

    def ring():
        rung.append(time.monotonic())
        if len(rung) < 3:
            alarm.when = rung[-1] + 0.01
        else:
            done.set()

    alarm = Alarm(ring)
    poller().add(alarm)
    alarm.when = began = time.monotonic() + 0.01
    async with asyncio.timeout(5):
        await done.wait()
    poller().remove(alarm)
    assert rung[0] >= began
    assert len(rung) == 3


@pytest.mark.parametrize("after", [0.0, 0.003, 0.007])
async def test_a_loop_that_was_held_up_is_told(after):
    with Engine() as engine:
        engine.start(waiting(60), lambda _: None)
        began = time.monotonic()
        await asyncio.sleep(after)
        hold_up(MAX_HELD_UP + 0.001)
        await asyncio.sleep(0.001)
        assert engine.held_up() > began


async def test_who_runs_afterwards_is_not_told():
    hold_up(MAX_HELD_UP + 0.02)
    await asyncio.sleep(0.001)
    began = time.monotonic()
    await alone(waiting(0.02))
    assert poller().held_up < began


async def test_a_process_that_did_not_run_was_held_up():
    """Not by the loop's own work: stopped, or kept from a processor, while a probe waits."""
    began = time.monotonic()
    with Engine() as engine:
        engine.start(waiting(60), lambda _: None)
        made, sleeps = poller(), []

        class Stopped:
            def poll(self, seconds, most):
                sleeps.append(seconds)
                hold_up(0.1)
                return real.poll(0, most)

        real, made._epoll = made._epoll, Stopped()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        made._epoll = real
        assert made.held_up > began
    assert sleeps


def test_another_loop_is_refused():
    async def main():
        poller()

    with pytest.raises(TypeError, match="in a ProbeLoop, not in a _UnixSelectorEventLoop"):
        asyncio.run(main())


def test_a_loop_of_its_own_is_closed():
    async def main():
        return await alone(waiting(0.01))

    assert loop.run(main()) is not None
