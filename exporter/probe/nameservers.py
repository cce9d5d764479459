"""The name servers of the system: reads resolv.conf, and watches it for changes."""

import asyncio
import os
import socket
from collections.abc import AsyncIterable, Callable
from pathlib import Path

from exporter.files.regular import open_regular
from exporter.files.stamp import FileStamp
from exporter.probe.resolve import Server

RESOLV_CONF = Path("/etc/resolv.conf")
MAX_SERVERS = 3
"""As glibc's MAXNS."""
MAX_SIZE = 64 << 10


def system_resolvers(path: Path = RESOLV_CONF) -> tuple[Server, ...]:
    """
    Return the name servers of the system.

    `search` and `ndots` are left alone on purpose: clusterset names are asked as absolute names.
    With them a name of fewer than five dots would be tried in other zones first, and how long
    that takes says nothing about the clusterset.
    """
    try:
        with os.fdopen(open_regular(path), errors="replace") as file:
            lines = file.read(MAX_SIZE).splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [pair[1] for pair in words if len(pair) > 1 and pair[0] == "nameserver"]
    servers = [Server(host, 53) for host in named if _is_address(host)]
    return tuple(servers[:MAX_SERVERS]) or (Server("127.0.0.1", 53),)


async def watch(
    ticks: AsyncIterable[None],
    changed: Callable[[tuple[Server, ...]], None],
    path: Path = RESOLV_CONF,
) -> None:
    """Call *changed* with the name servers of *path* after a change; look for one at each tick."""
    seen = await asyncio.to_thread(FileStamp.take, path)
    async for _ in ticks:
        version = await asyncio.to_thread(FileStamp.take, path)
        if version != seen:
            seen = version
            changed(await asyncio.to_thread(system_resolvers, path))


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            # ValueError: of a NUL.
            continue
        return True
    return False
