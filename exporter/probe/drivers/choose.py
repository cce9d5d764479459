"""The one place that decides which driver a process uses."""

import asyncio
import select
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.drivers.driver import Driver

T = TypeVar("T")


def run(main: Callable[[Driver], Coroutine[Any, Any, T]]) -> T:
    """
    Run *main* in an event loop of its own, as asyncio.run does.

    Args:
        main: Called with the driver that needs least CPU on this system.
    """
    if not hasattr(select, "epoll"):
        return asyncio.run(_by_asyncio(main))
    from exporter.probe.drivers.epoll import ProbeLoop  # noqa: PLC0415 - needs select.epoll

    loop = ProbeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop.driver))


async def _by_asyncio(main: Callable[[Driver], Coroutine[Any, Any, T]]) -> T:
    return await main(AsyncioDriver())
