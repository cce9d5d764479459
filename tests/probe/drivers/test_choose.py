"""Which driver a process uses, and that nobody else knows."""

import asyncio
import select

import pytest

from exporter.probe.drivers import choose
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.drivers.epoll import EpollDriver, ProbeLoop
from exporter.probe.drivers.runner import run_alone
from tests.probe.drivers.test_conformance import waiting
from tests.test_architecture import MODULES, imports


async def main(driver):
    loop = asyncio.get_running_loop()
    assert await run_alone(waiting(0.01), driver) >= 0
    return type(driver), type(loop)


def test_epoll_where_there_is_one():
    assert choose.run(main) == (EpollDriver, ProbeLoop)


def test_asyncio_elsewhere(monkeypatch):
    monkeypatch.delattr(select, "epoll")
    kind, loop = choose.run(main)
    assert kind is AsyncioDriver
    assert not issubclass(loop, ProbeLoop)


def test_a_fault_leaves_no_loop_open():
    async def breaks(_):
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - it is the one raised above
        choose.run(breaks)


def test_only_the_chooser_knows_the_epoll_driver():
    epoll = "exporter.probe.drivers.epoll"
    assert {name for name, path in MODULES.items() if epoll in imports(path)} == {
        "probe.drivers.choose"
    }
