"""Gives memory that is free inside this process back to the system."""

import ctypes


def give_back_memory() -> None:
    """
    Give free memory back, where the C library can.

    glibc keeps what a crowd of connections used, because a few small objects lie between the free
    blocks. A limit on the memory of a container counts it. It takes some milliseconds.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
