"""Errors that keep nothing alive."""

from traceback import clear_frames


def clear_all_frames(error: BaseException | None) -> None:
    """
    Clear the frames of *error* and of those that caused it, and let go of those that still run.

    A frame of asyncio or aiohttp often refers to its own error, and to a connection with all its
    buffers. A broken reply of aiohttp refers to the error, and so to the frame that reads it. Such
    a circle stays in memory until the garbage collector looks at old objects.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
