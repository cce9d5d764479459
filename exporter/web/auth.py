"""
TLS, client certificates and passwords of the HTTP server, by Prometheus' web configuration file.

The file and the certificates it names are looked at again every few seconds, so that a renewed
certificate needs no restart. A new version that is broken is not taken: the one before holds, never
an open door.

Source: the "web configuration" of prometheus/exporter-toolkit, whose keys these are.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from collections import OrderedDict
from pathlib import Path

import structlog
from msgspec import Struct

from exporter.config.yaml_reader import SettingsError
from exporter.files.small_file import read_struct
from exporter.files.stamp import FileStamp

CHECKS_AT_ONCE = 2
"""Passwords that are hashed at once: each takes a core for 50 ms or more."""
LOOK_EVERY = 2.0
MAX_WAITING = 16
"""Passwords that wait to be hashed; one more login is asked to come back."""
REMEMBERED = 100
"""Successful logins that are remembered, as hashes."""
# What the password of an unknown user is compared with, so that it takes as long.
_NOBODY = b"$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_OPTIONAL,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
log = structlog.get_logger()


class TlsServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tls_server_config`."""

    cert_file: str
    key_file: str
    client_auth_type: str = "NoClientCert"
    client_ca_file: str | None = None
    min_version: str = "TLS12"

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        for key, value, known in (
            ("client_auth_type", self.client_auth_type, _CLIENT_AUTH),
            ("min_version", self.min_version, _VERSIONS),
        ):
            if value not in known:
                msg = f"{key} {value} should be one of {', '.join(known)}"
                raise SettingsError(msg)
        if (self.client_ca_file is None) is not (self.client_auth_type == "NoClientCert"):
            msg = "client_ca_file and a client_auth_type that verifies go together"
            raise SettingsError(msg)


class WebSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    tls_server_config: TlsServerSettings | None = None
    basic_auth_users: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse what is no hash: a password in the clear, most likely."""
        for user, hashed in self.basic_auth_users.items():
            if not hashed.startswith(("$2a$", "$2b$", "$2y$")) or len(hashed) != len(_NOBODY):
                msg = (
                    f"basic_auth_users.{user} is no bcrypt hash; make one with htpasswd -nBC 10 ''"
                )
                raise SettingsError(msg)


class TooManyLoginsError(Exception):
    """Too many passwords wait to be checked."""


class WebAuth:
    """
    Says who may come in.

    Args:
        path: The web configuration file.

    Raises:
        SettingsError: If it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._room = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._seen = self._version(None)
        self._settings = read_struct(path, WebSettings)
        self._seen = self._version(self._settings)
        self.context = self._tls(self._settings)
        """The TLS context for the next connection; None for plain HTTP."""

    async def allows(self, authorization: str) -> bool:
        """
        Return whether a client with this Authorization header may come in.

        Only successes are remembered, so that wrong passwords push no right one out.

        Raises:
            TooManyLoginsError: If too many passwords wait to be checked.
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
        if not await self._check(password, hashed) or user not in users:
            return False
        # A file that was read meanwhile may have other users.
        if self._settings.basic_auth_users is users:
            self._known[key] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return True

    async def _check(self, password: bytes, hashed: bytes) -> bool:
        if self._waiting >= MAX_WAITING:
            raise TooManyLoginsError
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(_matches, password, hashed)
        finally:
            self._waiting -= 1

    async def watch(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Take the files as they are now, if they are others and not broken."""
        version = self._version(self._settings)
        if version == self._seen:
            return
        self._seen = version
        try:
            settings = read_struct(self._path, WebSettings)
            context = self._tls(settings)
        except SettingsError as error:
            log.error("web configuration not taken", error=str(error))  # noqa: TRY400 - one line
            return
        if (context is None) is not (self.context is None):
            log.error("web configuration not taken", error="TLS on or off needs a restart")
            return
        self._settings, self.context = settings, context
        self._seen = self._version(settings)
        self._known.clear()

    def _tls(self, settings: WebSettings) -> ssl.SSLContext | None:
        wanted = settings.tls_server_config
        if wanted is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[wanted.min_version]
        context.verify_mode = _CLIENT_AUTH[wanted.client_auth_type]
        folder = self._path.parent
        try:
            context.load_cert_chain(folder / wanted.cert_file, folder / wanted.key_file)
            if wanted.client_ca_file is not None:
                context.load_verify_locations(folder / wanted.client_ca_file)
        except (OSError, ValueError) as error:
            told = f"{wanted.cert_file}, {wanted.key_file}, {wanted.client_ca_file or 'no CA'}"
            msg = f"{self._path}: tls_server_config: {told}: {error}"
            raise SettingsError(msg) from error
        return context

    def _version(self, settings: WebSettings | None) -> tuple[object, ...]:
        tls = None if settings is None else settings.tls_server_config
        named = () if tls is None else (tls.cert_file, tls.key_file, tls.client_ca_file or "")
        paths = (self._path, *(self._path.parent / name for name in named))
        return tuple(map(FileStamp.take, paths))


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
