"""System tools that some tests need."""

import os
import shutil

import pytest


def need(tool: str) -> str:
    """Return the path of *tool*; without it skip the test, or fail it in CI, and say so."""
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
    if path is None:
        message = f"{tool} is not installed (Debian package of the same name, or prometheus)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
