"""A path for bytes in memory, for libraries that read only files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile


@contextmanager
def in_memory(raw: bytes) -> Iterator[str]:
    """Yield the path of a file with *raw*, which no other process can read. Read it once."""
    memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("bytes"), "wb+") if memory else TemporaryFile() as file:
        file.write(raw)
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"
