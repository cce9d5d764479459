"""Where the C library keeps free memory."""

import platform
import subprocess
import sys

import pytest

LOOK = """
import ctypes, sys, threading
from exporter.web.memory import keep_memory_together
if sys.argv[1] == "kept":
    keep_memory_together()
held, ended = [], threading.Barrier(5)
def work():
    held.append(bytes(1000))
    ended.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
ended.wait()
large = bytes(8 << 20)
del large
again = bytes(1 << 20)
library = ctypes.CDLL(None)
library.fdopen.restype = library.malloc_info.restype = ctypes.c_void_p
library.malloc_info(0, ctypes.c_void_p(library.fdopen(1, b"w")))
library.fflush(None)
"""


def heaps_and_large_blocks(how):
    """Return how many heaps a process has, and how many blocks that go back as soon as free."""
    told = subprocess.run([sys.executable, "-c", LOOK, how], check=True, capture_output=True)
    mapped = told.stdout.rpartition(b'<total type="mmap" count="')[2].partition(b'"')[0]
    return told.stdout.count(b"<heap nr="), int(mapped)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no such parameters")
def test_threads_share_one_heap_and_large_blocks_go_back_at_once():
    heaps, mapped = heaps_and_large_blocks("kept")
    heaps_else, mapped_else = heaps_and_large_blocks("not kept")
    assert heaps == 1 < heaps_else
    assert mapped > mapped_else


READ = """
import ctypes
from exporter.web.memory import keep_memory_together
keep_memory_together()
library = ctypes.CDLL(None)
library.sbrk.restype = ctypes.c_void_p
read = bytes(256 << 10)
end = library.sbrk(0)
del read
print(library.sbrk(0) - end)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no such parameters")
def test_what_asyncio_takes_for_each_read_does_not_go_back_each_time():
    told = subprocess.run([sys.executable, "-c", READ], check=True, capture_output=True)
    assert told.stdout == b"0\n"
