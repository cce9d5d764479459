r"""
An access-log format as regular expressions over bytes.

The block expression makes one tuple of each line, in one call for many lines: a line that the
format refuses arrives whole in the tuple's last place. Its classes may run over a line's end
where a line is torn; `count` finds that out. nginx writes `"` inside a value as `\x22`, so a quote
always ends one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PROBE = "clusterset-exporter/"

# What nginx writes, variable by variable; a group is what is wanted of it.
_BEGIN = rb"([^ ]++) - [^[]*+\[.{26}\] "
_REQUEST = rb'"[^"]*+"'
_MIDDLE = rb' (\d\d\d) (\d++) "[^"]*+" '
_STAMP = rb"[^ \n]++ - [^[\n]*+\[(.{26})\] "

FORMATS = ("combined", "main")


@dataclass(frozen=True, slots=True)
class LogFormat:
    """
    A compiled format.

    A tuple is (address, status, bytes, user agent, line); with *wide* it is (address, path,
    status, bytes, user agent, forwarded for, line). The user agent is empty unless it begins as a
    probe's or an ignored one's does, the path unless it is an ignored one.
    """

    block: re.Pattern[bytes]
    line: re.Pattern[bytes]
    """For a single line without its end, with the same groups but the last."""
    stamp: re.Pattern[bytes]
    """Finds an access line in a block, and its time."""
    wide: bool


def compile_format(
    name: str,
    *,
    ignore_user_agents: Iterable[str] = (),
    ignore_paths: Iterable[str] = (),
    forwarded: bool = False,
) -> LogFormat:
    """
    Compile nginx's `combined` or the docker image's `main`.

    Args:
        name: Which.
        ignore_user_agents: Beginnings of user agents that are no clients.
        ignore_paths: Exact paths that are no client traffic.
        forwarded: Whether X-Forwarded-For is wanted; only `main` has it.
    """
    paths = tuple(ignore_paths)
    wide = bool(paths) or forwarded
    request = _request(paths) if wide else _REQUEST
    tail = _user_agent((PROBE, *ignore_user_agents))
    if name == "main":
        tail += rb' "([^"]*+)"' if wide and forwarded else rb' "[^"]*+"'
    if wide and not (name == "main" and forwarded):
        tail += rb"()"
    body = _BEGIN + request + _MIDDLE + tail
    stamp = _STAMP + _REQUEST + _MIDDLE + tail
    return LogFormat(
        block=re.compile(rb"^(?:" + body + rb"\n|([^\n]*+)\n)", re.MULTILINE),
        line=re.compile(body),
        stamp=re.compile(rb"^" + stamp + rb"$", re.MULTILINE),
        wide=wide,
    )


def _request(paths: tuple[str, ...]) -> bytes:
    if not paths:
        return rb'"()[^"]*+"'
    either = b"|".join(re.escape(path.encode()) for path in sorted(paths, key=len, reverse=True))
    return rb'"(?:[A-Z]++ (' + either + rb')(?=[? "]))?+[^"]*+"'


def _user_agent(beginnings: tuple[str, ...]) -> bytes:
    either = b"|".join(re.escape(each.encode()) for each in beginnings)
    return rb'"((?:' + either + rb')[^"]*+)?+[^"]*+"'
