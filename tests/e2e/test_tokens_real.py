"""Tokens of a real API server."""

from tests.system.test_cluster_life import member  # noqa: F401 - the fixture
from tests.system.test_cluster_tokens import (  # noqa: F401 - the fixture and the tests, run here too
    guarded,
    pytestmark,
    test_a_right_that_is_missing_lets_nobody_in,
    test_who_may_scrape,
)
