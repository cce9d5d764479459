"""Every async test of a driver runs once for each driver, in an event loop that fits it."""

import asyncio

import pytest

from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.drivers.epoll import ProbeLoop


def pytest_asyncio_loop_factories():
    return {"asyncio": asyncio.SelectorEventLoop, "epoll": ProbeLoop}


@pytest.fixture
async def driver():
    """Return the driver under test."""
    loop = asyncio.get_running_loop()
    return loop.driver if isinstance(loop, ProbeLoop) else AsyncioDriver()
