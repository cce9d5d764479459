"""The TLS context of the HTTP server, as a web configuration says."""

import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from exporter.config.yaml_reader import SettingsError
from exporter.files.in_memory import in_memory
from exporter.files.small_file import read_text
from exporter.web.web_settings import CLIENT_AUTH, CURVES, VERSIONS, TlsServerSettings


class ServerContext(ssl.SSLContext):
    """A TLS context that also knows which names a client certificate may have."""

    allowed_sans: frozenset[str] | None = None
    """None: any name."""

    def admits(self, certificate: Mapping[str, Any] | None) -> bool:
        """
        Return whether a client with this verified *certificate* may come in.

        Args:
            certificate: As `SSLObject.getpeercert` returns it.
        """
        if self.allowed_sans is None:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        return any(_canonical(kind, name) in self.allowed_sans for kind, name in names)


def _canonical(kind: str, name: str) -> str:
    """Return a name as Go writes it. OpenSSL writes IPv6 addresses in full."""
    return str(ip_address(name.strip())) if kind == "IP Address" else name


def tls_context(settings: TlsServerSettings, folder: Path) -> ServerContext | None:
    """
    Return the TLS context for new connections; None for plain HTTP.

    Args:
        settings: The settings.
        folder: Where the names of files in them start.

    Raises:
        SettingsError: If a certificate or key cannot be used.
    """
    if not settings.enabled:
        return None
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.min_version]
    context.maximum_version = VERSIONS[settings.max_version]
    context.verify_mode = CLIENT_AUTH[settings.client_auth_type]
    if settings.client_allowed_sans is not None:
        context.allowed_sans = frozenset(settings.client_allowed_sans)
    if not settings.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.ciphers:
        context.set_ciphers(":".join(settings.ciphers))
    elif settings.cipher_suites:
        # Only suites of TLS 1.3 are named, so no other version is possible.
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    for curve in settings.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    _load(context, settings, folder)
    return context


def _load(context: ssl.SSLContext, settings: TlsServerSettings, folder: Path) -> None:
    chain = settings.cert or _pem(folder / settings.cert_file)
    key = settings.key or _pem(folder / settings.key_file)
    named = settings.cert_file or "cert", settings.key_file or "key"
    try:
        with in_memory(chain.encode()) as chain_file, in_memory(key.encode()) as key_file:
            # Without a password, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(chain_file, key_file, password="")
    except (OSError, ValueError) as error:
        msg = f"{', '.join(named)}: {error}"
        raise SettingsError(msg) from error
    if context.verify_mode is ssl.CERT_NONE:
        return
    authorities = settings.client_ca or _pem(folder / settings.client_ca_file)
    try:
        # As a file, because Python refuses text that has comments which are not ASCII.
        with in_memory(authorities.encode()) as authorities_file:
            context.load_verify_locations(authorities_file)
    except (OSError, ValueError) as error:
        msg = f"{settings.client_ca_file or 'client_ca'}: {error}"
        raise SettingsError(msg) from error


def _pem(path: Path) -> str:
    return read_text(path, wanted="a PEM file")
