"""Gives memory that is free inside this process back to the system."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt(3)."""
LARGE = 512 << 10
"""
Bytes of a block that goes back to the system as soon as it is free. For each read and each
datagram asyncio takes 256 KiB. A system call each time would make them four times as expensive.
"""
_LIBRARY = ctypes.CDLL(None)


def keep_memory_together() -> None:
    """
    Have the C library keep free memory in one place, where it can; call this before any thread.

    glibc gives each thread a heap of its own, and what was free in one is of no use to another.
    Once a large block was freed, it also takes larger and larger ones from its heap. Both make
    memory creep up for hours. Only one thread runs at a time, so nobody waits for the heap.
    """
    set_parameter = getattr(_LIBRARY, "mallopt", None)
    if set_parameter is not None:
        set_parameter(_ARENA_MAX, 1)
        set_parameter(_MMAP_THRESHOLD, LARGE)
        set_parameter(_TRIM_THRESHOLD, 2 * LARGE)


def give_back_memory() -> None:
    """
    Give free memory back, where the C library can.

    glibc keeps what a crowd of connections used, because a few small objects lie between the free
    blocks. A limit on the memory of a container counts it. It takes some milliseconds.
    """
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)
