"""What every test gets: the exporter's event loop, and a check that nothing blocks it."""

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

from exporter.probe.drivers.epoll import ProbeLoop


def pytest_asyncio_loop_factories() -> dict[str, type[ProbeLoop]]:
    """Run async tests in the loop that the exporter runs in."""
    return {"exporter": ProbeLoop}


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    """Fail a test in which the exporter blocks the event loop (reads a file, sleeps, connects)."""
    # The demo writes its few files before anything is timed.
    with blockbuster_ctx("exporter", excluded_modules=["exporter.demo"]):
        yield
