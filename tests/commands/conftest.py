"""Time that does not pass, for the modules that are named here."""

import asyncio

from tests.fakes.virtual import VirtualLoop

VIRTUAL = {"test_supervisor", "test_restarts", "test_kills"}


def pytest_asyncio_loop_factories(item):
    virtual = item.path.stem in VIRTUAL
    return {"virtual": VirtualLoop} if virtual else {"real": asyncio.new_event_loop}
