"""What every test gets: a check that nothing blocks the event loop."""

import os
from collections.abc import Iterator

import pytest
import structlog
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does, so no profile has a deadline.
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", **UNHURRIED)
settings.register_profile("ci", **UNHURRIED, derandomize=True, print_blob=True)
# make test-fast: few examples, always the same.
settings.register_profile("fast", **UNHURRIED, derandomize=True, max_examples=10)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    """Fail a test in which the exporter blocks the event loop (reads a file, sleeps, connects)."""
    # The demo writes its few files before anything is timed.
    with blockbuster_ctx("exporter", excluded_modules=["exporter.demo"]):
        yield


@pytest.fixture(autouse=True)
def _log_as_at_the_start() -> Iterator[None]:
    """Undo what a command that ran in this process, such as `check`, has set for its log."""
    yield
    structlog.reset_defaults()
