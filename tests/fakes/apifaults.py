"""What can go wrong between us and an API server, each as a switch of the fake one."""

import asyncio
import gzip
import json
import socket
import struct
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.apistore import RefusedError, gone

FOREVER = 10**9


@dataclass
class Fault:
    """
    Something that is done to requests.

    Args:
        what: One of the functions below; returns a reply, or None to let the request go on.
        verb, plural: Which requests; all if empty.
        times: How often; it is over after that.
    """

    what: object
    verb: str = ""
    plural: str = ""
    times: int = FOREVER
    done: int = field(default=0)

    def wants(self, asked):
        return (
            self.done < self.times
            and self.verb in {"", asked.verb}
            and self.plural in {"", asked.plural}
        )

    async def answer(self, server, asked):
        self.done += 1
        return await self.what(server, asked)


def status(code, *, html=False, headers=None, reason="", details=None):
    """Answer with an error."""

    async def what(_server, _asked):
        if html:
            page = f"<html><body><h1>{code}</h1></body></html>\n"
            return web.Response(text=page, status=code, content_type="text/html", headers=headers)
        body = RefusedError(code, reason, f"status {code}").body() | {"details": details}
        return web.json_response(body, status=code, headers=headers)

    return what


def ok(body, *, content_type="application/json", headers=None):
    """Answer 200 with what is no answer."""

    async def what(_server, _asked):
        return web.Response(body=body, content_type=content_type, headers=headers)

    return what


def zipped():
    headers = {"Content-Encoding": "gzip"}
    return ok(gzip.compress(json.dumps({"metadata": {}, "items": []}).encode()), headers=headers)


def late(seconds):
    """Answer, but not now."""

    async def what(_server, _asked):
        await asyncio.sleep(seconds)

    return what


async def hang(_server, _asked):
    """Never answer."""
    await asyncio.Event().wait()


async def lose_answer(server, asked):
    """Do what is asked, and never say so."""
    await server.answer(asked)
    await asyncio.Event().wait()


def late_answer(seconds):
    """Do what is asked at once, and say so later."""

    async def what(server, asked):
        reply = await server.answer(asked)
        await asyncio.sleep(seconds)
        return reply

    return what


async def reset(_server, asked):
    """End the connection as a crashed host does."""
    end = asked.request.transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    asked.request.transport.abort()
    await asyncio.Event().wait()


async def close(_server, asked):
    """End a watch at once, in all order."""
    reply = web.StreamResponse(headers={"Content-Type": "application/json"})
    await reply.prepare(asked.request)
    await reply.write_eof()
    return reply


async def hang_after_headers(_server, asked):
    reply = web.StreamResponse(headers={"Content-Type": "application/json"})
    await reply.prepare(asked.request)
    await asyncio.Event().wait()


def lines(tamper):
    """Do something to the lines of a watch: tamper(asked, number, line) yields bytes or waits."""

    async def what(_server, asked):
        asked.tamper = lambda number, line: tamper(asked, number, line)

    return what


def _cut_after(count, *, abruptly):
    def tamper(asked, number, line):
        if number < count:
            yield line
            return
        yield line[: len(line) // 2]
        yield _cut(asked, abruptly=abruptly)

    return lines(tamper)


async def _cut(asked, *, abruptly):
    await asyncio.sleep(0.01)
    if abruptly:
        await reset(None, asked)
    # Half a line and then a chunked end in all order: what an honest proxy makes of a dead server.
    asked.request.transport.write(b"0\r\n\r\n")
    asked.request.transport.close()
    await asyncio.Event().wait()


def cut(count=0):
    """End a watch in the middle of a line after *count* lines, with an orderly end."""
    return _cut_after(count, abruptly=False)


def tear(count=0):
    """Reset a watch in the middle of a line after *count* lines."""
    return _cut_after(count, abruptly=True)


def before_each(extra):
    """Put bytes before each line."""

    def tamper(_asked, _number, line):
        yield extra
        yield line

    return lines(tamper)


def instead_of(number, other):
    """Put bytes in place of the line of that number."""

    def tamper(_asked, at, line):
        yield other if at == number else line

    return lines(tamper)


def twice():
    """Send each line two times."""

    def tamper(_asked, _number, line):
        yield line
        yield line

    return lines(tamper)


def swapped():
    """Send each second line before the one that it should come after."""

    def tamper(asked, number, line):
        if number % 2 == 0:
            asked.held_back = line
        else:
            yield line
            yield asked.held_back

    return lines(tamper)


def stall(count=0):
    """Say nothing more after *count* lines, and do not end: as if all packets were lost."""

    def tamper(_asked, number, line):
        if number == count:
            yield asyncio.Event().wait()
        yield line

    return lines(tamper)


def drip(size, seconds):
    """Send *size* bytes each *seconds*."""

    def tamper(_asked, _number, line):
        for begin in range(0, len(line), size):
            yield line[begin : begin + size]
            yield asyncio.sleep(seconds)

    return lines(tamper)


def expire(count=0):
    """Say after *count* lines that our place in history is gone."""

    def tamper(asked, number, line):
        if number == count:
            yield json.dumps({"type": "ERROR", "object": gone("too old").body()}).encode() + b"\n"
            yield _cut(asked, abruptly=False)
        yield line

    return lines(tamper)
