"""
The servers that a gateway asked for one request: texts of a log line in, tries out.

nginx writes a list. A comma stands before the next server of a group, and a colon before the first
server of another group, after an internal redirect. All others write one server, the last one.

Source: nginx, ngx_http_upstream_module, `$upstream_addr` and `$upstream_status`.
"""

import re
from typing import NamedTuple

MAX_TRIES = 100
"""Tries of one request that are read; further ones are left out."""
_NEXT, _REDIRECT = ", ", " : "
_BETWEEN = re.compile(r"(, | : )")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://([^/?#]*).*", re.DOTALL)
_SERVER = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


class Try(NamedTuple):
    """One server that was asked."""

    server: str
    """Its address without a port, or whatever stands in its place."""
    failed: bool
    """Whether it answered with 5xx, or did not answer."""


def read_tries(upstream: str, statuses: str, status: str) -> list[Try]:
    """
    Return the servers that were asked for a request, in their order.

    A server that is followed by another of its group failed, since that is why the next one was
    asked. Of the last server before an internal redirect it is only known by its own status.

    Args:
        upstream: The servers as they were logged.
        statuses: Of each server its own status; empty if it was not logged.
        status: The status of the request.
    """
    texts = _BETWEEN.split(upstream, MAX_TRIES)[: 2 * MAX_TRIES]
    whole = len(texts) < 2 * MAX_TRIES
    own = _BETWEEN.split(statuses, MAX_TRIES)[: 2 * MAX_TRIES] if statuses else []
    if len(own) == len(texts) and own[1::2] == texts[1::2]:
        failures = [is_failure(each) for each in own[::2]]
    else:
        failures = [each == _NEXT for each in texts[1::2]]
        failures += [is_failure(status)] if whole else []
    named = zip(map(_server, texts[::2]), failures, strict=True)
    return [Try(server, failed) for server, failed in named if server]


def is_failure(status: str) -> bool:
    """Return whether *status* is 5xx. It is `-` or 0 if the client went away before the answer."""
    return len(status) == 3 and status[0] == "5"  # noqa: PLR2004 - digits of a status


def _server(text: str) -> str:
    """Return the address in *text* without its port; empty if nothing was sent to any server."""
    url = _URL.fullmatch(text)
    text = text if url is None else url[1]
    found = _SERVER.fullmatch(text)
    if found is not None:
        return found[1] or found[2] or text
    if url is not None or ":" in text or _IPV4.fullmatch(text):
        return text
    # nginx writes the name of a group if none of its servers could be chosen.
    return ""
