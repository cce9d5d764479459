"""A client of Prometheus' HTTP API, with limits on time and size."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from exporter.commands.report.samples import SampledSeries

WITHIN = 60.0
"""Seconds for one query."""
MAX_BYTES = 64 * 1024 * 1024
"""Of one answer."""
_SHOWN = 300
_REFUSED = frozenset({401, 403})


class PrometheusError(Exception):
    """Prometheus cannot be asked, or does not know the answer; the message says why."""


class Prometheus:
    """
    Asks one Prometheus, as things were at one moment.

    Args:
        session: An HTTP session.
        url: Its URL, with a path if it has one.
        token: A bearer token; None for none.
        at: The moment, unix seconds.

    Attributes:
        warnings: What Prometheus warned of, such as a store that did not answer.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, token: str | None, at: float
    ) -> None:
        self._session, self._at = session, at
        self._base = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.title = without_password(url)
        self.warnings: set[str] = set()

    async def instant(self, expression: str) -> list[SampledSeries]:
        """Return the value of *expression* at the moment, for each series one sample."""
        return list(_series(await self._ask("query", {"query": expression, "time": f"{self._at}"})))

    async def over(self, expression: str, *, since: float, step: float) -> list[SampledSeries]:
        """Return the values of *expression* from *since* to the moment, each *step* seconds."""
        wanted = {"query": expression, "start": f"{since}", "end": f"{self._at}", "step": f"{step}"}
        return list(_series(await self._ask("query_range", wanted)))

    async def _ask(self, path: str, wanted: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self._base}/api/v1/{path}"
        try:
            async with self._session.post(
                url, data=wanted, headers=self._headers, allow_redirects=False
            ) as reply:
                body = await self._read(reply)
                status, kind = reply.status, reply.content_type
                location = reply.headers.get("Location")
        except TimeoutError as error:
            msg = f"{self.title}: no answer within {WITHIN:g} s; a shorter --since asks for less"
            raise PrometheusError(msg) from error
        except (aiohttp.ClientError, OSError) as error:
            msg = f"{self.title}: cannot be asked: {_reason(error)}"
            raise PrometheusError(msg) from error
        if status in _REFUSED:
            msg = (
                f"{self.title}: refuses the request (HTTP {status}); give user:password@ in the "
                "URL, or --bearer-token-file"
            )
            raise PrometheusError(msg)
        if location is not None:
            msg = f"{self.title}: leads to {location[:_SHOWN]}; give that URL if it is right"
            raise PrometheusError(msg)
        return self._answer(body, f"HTTP {status}, {kind}")

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in reply.content.iter_any():
            size += len(part)
            if size > MAX_BYTES:
                msg = (
                    f"{self.title}: the answer is larger than {MAX_BYTES >> 20} MiB; "
                    "a shorter --since asks for less"
                )
                raise PrometheusError(msg)
            parts.append(part)
        return b"".join(parts)

    def _answer(self, body: bytes, what: str) -> dict[str, Any]:
        try:
            answer = json.loads(body)
            status = answer["status"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            msg = f"{self.title}: is not a Prometheus: the answer is no JSON of its API ({what})"
            raise PrometheusError(msg) from error
        if status != "success":
            msg = f"{self.title}: {answer.get('errorType')}: {answer.get('error')}"
            raise PrometheusError(msg[:_SHOWN])
        self.warnings.update(str(each)[:_SHOWN] for each in answer.get("warnings") or ())
        return dict(answer)


def without_password(url: str) -> str:
    """Return *url* without user and password, for people."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _series(answer: Mapping[str, Any]) -> Iterator[SampledSeries]:
    try:
        for each in answer["data"]["result"]:
            values = each["values"] if "values" in each else [each["value"]]
            labels = {str(k): str(v) for k, v in each["metric"].items()}
            yield SampledSeries(labels, tuple((float(at), float(value)) for at, value in values))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"the answer of Prometheus has another form than its API describes: {error!r}"
        raise PrometheusError(msg) from error


@asynccontextmanager
async def prometheus(url: str, token: str | None, at: float) -> AsyncIterator[Prometheus]:
    """Yield a client for the Prometheus at *url*; see `Prometheus`."""
    limit = aiohttp.ClientTimeout(total=WITHIN)
    async with aiohttp.ClientSession(timeout=limit, trust_env=True) as session:
        yield Prometheus(session, url, token, at)


def _reason(error: Exception) -> str:
    """Return why nobody can be reached, without what aiohttp says of its own settings."""
    plain = (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError)
    if type(error) not in plain or not isinstance(error, aiohttp.ClientConnectorError):
        return str(error)
    code = error.os_error.errno or 0
    return os.strerror(code).lower() if code > 0 else str(error.os_error.strerror or error)
