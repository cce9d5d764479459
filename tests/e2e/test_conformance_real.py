"""The conformance suite on a real API server."""

from tests.apiserver.test_conformance import *  # noqa: F403 - the tests, all of them
