"""What every test of a probe gets: a check that it leaves no file descriptor open."""

import gc

import pytest

from tests.fakes.servers import open_files


@pytest.fixture(autouse=True)
def _nothing_left_open(request):
    """Fail a test after which more is open than before: whatever the other side did."""
    if "hypothesis" in request.keywords:
        yield
        return
    gc.collect()
    before = open_files()
    yield
    assert open_files() <= before
