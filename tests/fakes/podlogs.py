"""Logs of containers as a kubelet serves them, for the fake API server and for a real one."""

import asyncio
from datetime import UTC, datetime

from aiohttp import web


class Log:
    """The log of one container."""

    def __init__(self):
        self.lines = []
        self.changed = asyncio.Event()
        self.followed = asyncio.Event()
        """Somebody has asked for what is written from now on."""
        self.ended = False
        self.waiting = False
        self.previous = None
        """Of the container's life before this one."""
        self.stalled = False
        """Following brings nothing more, as after some rotations; asking anew does."""
        self.newest = 0
        """The first line of the newest file; only followers get what is before it."""

    def write(self, text, stamp):
        """Add a line as of *stamp*, written as a kubelet does, or in seconds since 1970."""
        if not isinstance(stamp, str):
            whole, nanos = divmod(round(stamp * 1_000_000_000), 1_000_000_000)
            stamp = f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"
        self.lines.append((stamp, text))
        self.wake()

    def rotate(self):
        """Begin a file: requests bring nothing of those before, and who follows goes on."""
        self.newest = len(self.lines)

    def end(self):
        self.ended = True
        self.wake()

    def renewed(self):
        """Return the log of the container's next life."""
        self.end()
        fresh = Log()
        fresh.previous = self
        return fresh

    def wake(self):
        self.changed, before = asyncio.Event(), self.changed
        before.set()


def _chosen(log, query):
    """Return where to begin in the lines of *log*."""
    lines, begin = log.lines, log.newest
    if query.get("follow") == "true":
        log.followed.set()
    if since := query.get("sinceTime"):
        # To the second only: so the API server hands it on.
        whole = since[:19]
        late = (n for n, (stamp, _) in enumerate(lines) if stamp[:19] >= whole)
        begin = max(begin, next(late, len(lines)))
    if "tailLines" in query:
        begin = max(begin, len(lines) - int(query["tailLines"]))
    return begin


NOTHING_BEFORE = "previous terminated container not found"


async def serve(request, log):
    """Answer a request for *log*, to its end or until the client is gone."""
    query = request.query
    if query.get("previous") == "true":
        if log.previous is None:
            return web.Response(text=NOTHING_BEFORE, status=400)
        log = log.previous
    reply = web.StreamResponse(headers={"Content-Type": "text/plain"})
    stamped, follow = query.get("timestamps") == "true", query.get("follow") == "true"
    left = int(query.get("limitBytes") or 1 << 60)
    at = _chosen(log, query)
    # With the first line, not before: a client that follows a silent log waits for headers.
    if not follow:
        await reply.prepare(request)
    while left > 0:
        if at < len(log.lines):
            stamp, text = log.lines[at]
            line = (f"{stamp} ".encode() if stamped else b"") + text + b"\n"
            if not reply.prepared:
                await reply.prepare(request)
            await reply.write(line[:left])
            left -= len(line)
            at += 1
        elif log.ended or not follow:
            break
        else:
            await log.changed.wait()
            while log.stalled:  # noqa: ASYNC110 - a test sets it
                await asyncio.sleep(1)
    if not reply.prepared:
        await reply.prepare(request)
    await reply.write_eof()
    return reply
