"""What every test gets: a check that no test blocks the event loop."""

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    """Fail a test in which the exporter blocks the event loop (reads a file, sleeps, connects)."""
    # The demo writes its few files before anything is timed.
    with blockbuster_ctx("exporter", excluded_modules=["exporter.demo"]):
        yield
