"""
TLS, client certificates, passwords and tokens of the HTTP server, by a web configuration file.

The file and the certificates it names are looked at again every few seconds, so that a renewed
certificate needs no restart. A new version that is broken is not taken: the one before holds, never
an open door.

Source: the "web configuration" of prometheus/exporter-toolkit, whose keys these are, but for
`kubernetes`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterable, Callable, Mapping
from importlib import import_module
from pathlib import Path

import structlog
from msgspec import UNSET

from exporter.config.scalars import Duration
from exporter.config.yaml_reader import SettingsError
from exporter.files.small_file import read_struct
from exporter.files.stamp import FileStamp
from exporter.web.tls import ServerContext, tls_context
from exporter.web.token_auth import Access, AccessUnknownError, Review, TokenAuth
from exporter.web.web_settings import RateLimit, TlsServerSettings, WebSettings

NEEDS_BCRYPT = (
    "checking passwords needs the package bcrypt: pip install 'clusterset-exporter[passwords]'"
)
CHECKS_AT_ONCE = 2
"""Passwords that are hashed at once: each takes a core for 50 ms or more."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the files."""
MAX_WAITING = 16
"""Passwords that wait to be hashed or are hashed; one more login is asked to come back."""
WAITING_BY_ADDRESS = 4
"""The most of them from one client address."""
KEPT = 4
"""The last places, which are only for addresses that have none."""
REMEMBERED = 100
"""Successful logins that are remembered, as hashes."""
# What the password of an unknown user is compared with, so that it takes as long.
_NOBODY = b"$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
log = structlog.get_logger()


class TooManyLoginsError(Exception):
    """Too many passwords wait to be checked."""


class WebAuth:
    """
    Says who may come in.

    Args:
        path: The web configuration file.
        clock: Returns seconds, for the rate limit.

    Raises:
        SettingsError: If it cannot be used.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._room = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting: Counter[str] = Counter()
        """Passwords that wait, by client address."""
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._seen = self._version(None)
        self._settings = _read(path)
        self._seen = self._version(self._settings)
        self.context = self._tls(self._settings)
        """The TLS context for the next connection; None for plain HTTP."""
        self._limiter = _Limiter(self._settings.rate_limit, clock)
        self._tokens: TokenAuth | None = None

    @property
    def asks_api_server(self) -> bool:
        """Return whether the file wants tokens to be reviewed by the API server."""
        return self._settings.kubernetes is not UNSET

    def review_by(self, review: Review) -> None:
        """Have *review* ask the API server about tokens."""
        self._tokens = TokenAuth(review, self._clock)

    @property
    def schemes(self) -> str:
        """Return how to log in, as WWW-Authenticate says it."""
        users = self._settings.basic_auth_users or not self.asks_api_server
        named = (("Basic", users), ("Bearer", self.asks_api_server))
        return ", ".join(name for name, wanted in named if wanted)

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of each answer that does not set them itself."""
        return self._settings.http_server_config.headers

    def within_rate(self) -> bool:
        """Count a request; return False if there are more than the rate limit allows."""
        return self._limiter.take()

    async def access(self, authorization: str, method: str, path: str, client: str) -> Access:
        """
        Return whether the client with this Authorization header and address may request this path.

        Raises:
            TooManyLoginsError: If too many passwords wait to be checked.
            TooManyReviewsError: If too many tokens wait to be reviewed.
            AccessUnknownError: If the API server does not say what a token allows.
        """
        scheme, _, token = authorization.partition(" ")
        if not self.asks_api_server:
            allowed = await self.allows(authorization, client)
        elif scheme.lower() != "bearer":
            users = self._settings.basic_auth_users
            allowed = bool(users) and await self.allows(authorization, client)
        elif self._tokens is None:
            msg = "there is no client of an API server"
            raise AccessUnknownError(msg)
        else:
            return await self._tokens.access(token.strip(), method, path)
        return Access.ALLOWED if allowed else Access.UNKNOWN

    async def allows(self, authorization: str, client: str) -> bool:
        """
        Return whether the client with this address may come in with this user and password.

        Only successes are remembered, so that wrong passwords push no right one out.

        Raises:
            TooManyLoginsError: If too many passwords wait to be checked, of this client or in all.
        """
        users = self._settings.basic_auth_users
        if not users:
            return True
        user, password = _credentials(authorization)
        hashed = users.get(user, "").encode() or _NOBODY
        key = hashlib.sha256(b"\0".join((user.encode(), hashed, password))).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return True
        if not await self._check(password, hashed, client) or user not in users:
            return False
        # A file that was read meanwhile may have other users.
        if self._settings.basic_auth_users == users:
            self._known[key] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return True

    async def _check(self, password: bytes, hashed: bytes, client: str) -> bool:
        own, all_ = self._waiting[client], self._waiting.total()
        if own >= WAITING_BY_ADDRESS or all_ >= MAX_WAITING - (KEPT if own else 0):
            raise TooManyLoginsError
        self._waiting[client] += 1
        try:
            async with self._room:
                return await asyncio.to_thread(_matches, password, hashed)
        finally:
            self._waiting[client] -= 1
            # Without those that are zero: an address that was here once takes no memory.
            self._waiting = +self._waiting

    async def watch(self, ticks: AsyncIterable[None]) -> None:
        """Look at the files at each of *ticks*."""
        async for _ in ticks:
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Take the files as they are now, if they are others and not broken."""
        version = self._version(self._settings)
        if version == self._seen:
            return
        try:
            settings = _read(self._path)
            context = self._tls(settings)
        except SettingsError as error:
            self._seen = version
            log.error("web configuration not taken", error=str(error))  # noqa: TRY400 - one line
            return
        self._seen = version
        if (context is None) is not (self.context is None):
            log.error("web configuration not taken", error="TLS on or off needs a restart")
            return
        if settings.kubernetes is not UNSET and self._tokens is None:
            log.error("web configuration not taken", error="kubernetes: needs a restart")
            return
        if settings.rate_limit != self._settings.rate_limit:
            self._limiter = _Limiter(settings.rate_limit, self._clock)
        if settings.basic_auth_users != self._settings.basic_auth_users:
            self._known.clear()
        self._settings, self.context = settings, context
        self._seen = self._version(settings)

    def _tls(self, settings: WebSettings) -> ServerContext | None:
        try:
            return tls_context(settings.tls_server_config, self._path.parent)
        except SettingsError as error:
            msg = f"{self._path}: tls_server_config: {error}"
            raise SettingsError(msg) from error

    def _version(self, settings: WebSettings | None) -> tuple[object, ...]:
        tls = TlsServerSettings() if settings is None else settings.tls_server_config
        named = (tls.cert_file, tls.key_file, tls.client_ca_file)
        paths = (self._path, *(self._path.parent / name for name in named if name))
        return tuple(map(FileStamp.take, paths))


def _read(path: Path) -> WebSettings:
    settings = read_struct(path, WebSettings, dec_hook=_decode)
    if settings.basic_auth_users:
        try:
            import_module("bcrypt")
        except ImportError as error:
            msg = f"{path}: basic_auth_users: {NEEDS_BCRYPT}"
            raise SettingsError(msg) from error
    return settings


def _decode(kind: type, value: object) -> object:
    return Duration.parse(value) if kind is Duration else value


class _Limiter:
    """Lets a burst of requests in, and one more after each interval."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._left, self._at = float(limit.burst), clock()

    def take(self) -> bool:
        if not self._limit.interval:
            return True
        now = self._clock()
        come = (now - self._at) / self._limit.interval
        self._left, self._at = min(self._left + come, float(self._limit.burst)), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _credentials(header: str) -> tuple[str, bytes]:
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", b""
    try:
        user, _, password = base64.b64decode(coded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return "", b""
    return user.decode(errors="replace"), password


def _matches(password: bytes, hashed: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - where nobody needs a password it is not loaded

    # bcrypt looks at 72 bytes, and refuses longer passwords.
    cut = password[:72].replace(b"\0", b"")
    return hmac.compare_digest(bcrypt.hashpw(cut, hashed), hashed)
