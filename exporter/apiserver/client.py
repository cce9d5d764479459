"""Requests to one API server: bounded in time and size, with errors that say what happened."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import structlog

from exporter import __version__
from exporter.apiserver.credentials import Credentials, Source
from exporter.apiserver.errors import CredentialsError
from exporter.apiserver.recovery import Recovery
from exporter.apiserver.replies import Chunks, check, decoded, whole
from exporter.apiserver.transport import TlsOption, keep_alive, once, ssl_context

CONNECT_LIMIT = 5.0
REQUEST_LIMIT = 30.0
MAX_CONNECTIONS = 1000
"""Each watch and each followed log holds one. Beyond that, requests wait and time out."""
RELOAD_EVERY = 10.0
"""Seconds until credentials that were refused, or could not be loaded, are loaded again."""

Params = Mapping[str, str]
JsonDict = dict[str, Any]
log = structlog.get_logger()
_UNAUTHORIZED = 401
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PATCH = "application/merge-patch+json"
_HEADERS = {
    "Accept": "application/json, */*",
    # No compression: no decompression bomb, and no work on either side.
    "Accept-Encoding": "identity",
    "User-Agent": f"clusterset-exporter/{__version__}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request, and how long it may take."""

    method: str
    path: str
    params: Params | None = None
    body: JsonDict | None = None
    within: float = REQUEST_LIMIT
    """Seconds within which the reply must begin, and that of a document must end."""
    silence: float | None = None
    """Seconds without a byte after which the connection counts as dead."""

    @property
    def what(self) -> str:
        return f"{self.method} {self.path}"

    def headers(self, used: Credentials) -> dict[str, str]:
        found = {"Authorization": used.authorization} if used.authorization else {}
        return found | ({"Content-Type": _PATCH} if self.method == "PATCH" else {})


class ApiClient:
    """
    One API server, with the credentials that *source* loads. Enter it before use.

    Attributes:
        problem: What is wrong with our credentials, in one line; empty if nothing is.
        auth_errors: How often the server refused them.
        recovery: Notices when the server answers again after a failure.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._loading = asyncio.Lock()
        self._credentials: Credentials
        self._session: aiohttp.ClientSession
        self._ssl: TlsOption = True
        self._tls: tuple[object, ...] | None = None
        self._stale_at = self._renew_at = 0.0
        self.problem = ""
        self.auth_errors = 0
        self.recovery = Recovery()

    async def __aenter__(self) -> Self:
        """Load the credentials; CredentialsError if there are none."""
        await self._use(await self._source.load())
        self._session = _session()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._session.close()

    @property
    def namespace(self) -> str:
        """Return the namespace of our credentials."""
        return self._credentials.namespace

    @property
    def origin(self) -> str:
        """Return where our credentials come from, for people."""
        return self._credentials.origin

    async def get(
        self, path: str, params: Params | None = None, *, within: float = REQUEST_LIMIT
    ) -> bytes:
        """Return the JSON document at *path*, not yet decoded."""
        request = _Request(method="GET", path=path, params=params, within=within)
        return await self._document(request)

    async def read(
        self, path: str, params: Params | None = None, *, within: float = REQUEST_LIMIT
    ) -> JsonDict:
        """Return the object at *path*."""
        return decoded(await self.get(path, params, within=within), f"GET {path}")

    async def create(self, path: str, body: JsonDict, *, within: float = REQUEST_LIMIT) -> JsonDict:
        """POST *body* to the collection at *path*; return what the server made of it."""
        return await self._write("POST", path, body, within)

    async def update(self, path: str, body: JsonDict, *, within: float = REQUEST_LIMIT) -> JsonDict:
        """PUT *body*, which contains its resourceVersion; a CONFLICT if that is out of date."""
        return await self._write("PUT", path, body, within)

    async def patch(self, path: str, body: JsonDict, *, within: float = REQUEST_LIMIT) -> JsonDict:
        """Change those fields of the object at *path* that *body* has (JSON merge patch)."""
        return await self._write("PATCH", path, body, within)

    async def may(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        namespace: str = "",
        sub: str = "",
        name: str = "",
    ) -> bool:
        """Ask the API server whether we may do *verb* on a resource (SelfSubjectAccessReview)."""
        asked = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked | {"subresource": sub, "name": name}},
        }
        answer = (await self.create(_ACCESS_REVIEWS, review)).get("status")
        return isinstance(answer, dict) and answer.get("allowed") is True

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params, *, within: float, silence: float, json: bool
    ) -> AsyncIterator[Chunks]:
        """
        Open a reply without an end, and yield its chunks as they come.

        Args:
            path: The path of the watched collection or of the log.
            params: Its query.
            within: Seconds within which the reply must begin.
            silence: Seconds without a byte after which the connection counts as dead.
            json: Whether the reply must be JSON; a log, which comes of a kubelet, may be anything.

        Raises:
            ApiError: Here, and later from the chunks.
        """
        request = _Request(method="GET", path=path, params=params, within=within, silence=silence)
        with ExitStack() as stack:
            # A kubelet answers the request for a log.
            with self.recovery.noticed(request.what, forwarded=not json):
                reply = await self._open(request)
                # Closed, not released: the rest of a stream has no end.
                stack.callback(reply.close)
                await check(reply, request.what, json=json)
            log.debug("stream was opened", request=request.what, **params)
            yield Chunks(reply, request.what)
        log.debug("stream ended", request=request.what)

    async def _write(self, method: str, path: str, body: JsonDict, within: float) -> JsonDict:
        request = _Request(method=method, path=path, body=body, within=within)
        return decoded(await self._document(request), request.what)

    async def _document(self, request: _Request) -> bytes:
        with self.recovery.noticed(request.what):
            async with asyncio.timeout(request.within):
                reply = await self._open(request)
                try:
                    await check(reply, request.what, json=True)
                    return await whole(reply, request.what)
                finally:
                    reply.close()

    async def _open(self, request: _Request) -> aiohttp.ClientResponse:
        """Send a request; repeat it at once if the token was refused and has changed since."""
        await self._stay_fresh()
        used = self._credentials
        reply = await self._send(request)
        if reply.status == _UNAUTHORIZED:
            self.auth_errors += 1
            try:
                if not await self._renew(used):
                    return reply
            except asyncio.CancelledError:
                reply.close()
                raise
            reply.close()
            reply = await self._send(request)
        return reply

    async def _send(self, request: _Request) -> aiohttp.ClientResponse:
        used = self._credentials
        async with asyncio.timeout(request.within):
            return await self._session.request(
                request.method,
                used.server + request.path,
                params=request.params,
                json=request.body,
                headers=request.headers(used),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_LIMIT, sock_read=request.silence
                ),
                ssl=self._ssl,
                server_hostname=used.server_name,
                proxy=used.proxy,
                # Our token is for this server only, wherever a redirect leads.
                allow_redirects=False,
            )

    async def _stay_fresh(self) -> None:
        if asyncio.get_running_loop().time() >= self._stale_at:
            async with self._loading:
                if asyncio.get_running_loop().time() >= self._stale_at:
                    await self._load()

    async def _renew(self, refused: Credentials) -> bool:
        """Load refused credentials again; return whether they have changed."""
        async with self._loading:
            now = asyncio.get_running_loop().time()
            if self._credentials is refused and now >= self._renew_at:
                self._renew_at = now + RELOAD_EVERY
                await self._load()
        if self._credentials != refused:
            return True
        self.problem = f"{self.origin}: the API server refuses the credentials found there (401)"
        return False

    async def _load(self) -> None:
        """Load credentials; if that fails, those in use stay."""
        try:
            await self._use(await self._source.load())
        except CredentialsError as error:
            self.problem = str(error)
            self._stale_at = asyncio.get_running_loop().time() + RELOAD_EVERY

    async def _use(self, loaded: Credentials) -> None:
        if loaded.tls != self._tls and loaded.server.startswith("https"):
            self._ssl = await asyncio.to_thread(ssl_context, loaded)
            self._tls = loaded.tls
        self._credentials, self.problem = loaded, ""
        self._stale_at = asyncio.get_running_loop().time() + loaded.fresh_for


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, socket_factory=keep_alive, keepalive_timeout=60
        ),
        middlewares=(once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT),
    )
