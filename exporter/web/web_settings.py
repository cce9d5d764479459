"""
The keys of Prometheus' web configuration file, and which values of them work here.

Each key of prometheus/exporter-toolkit is taken, or refused with what works instead. One key is
ours: `kubernetes`.

Source: `docs/web-configuration.md` and `web/tls_config.go` of prometheus/exporter-toolkit.
"""

import ssl
from collections.abc import Collection

from msgspec import UNSET, Struct, UnsetType

from exporter.config.scalars import Duration
from exporter.config.yaml_reader import SettingsError

CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    # Such a certificate is never looked at, so it is not asked for.
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = {"RequireAnyClientCert", "RequireClientCert"}
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = {"TLS10", "TLS11"}
CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""Go's names, and OpenSSL's."""
CIPHERS = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""Go's names of the suites of TLS 1.2, and OpenSSL's."""
TLS13_CIPHERS = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
"""The suites of TLS 1.3. They are always on, here and in Go."""
_HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""The headers that the toolkit lets a file set, and their values where only some are good."""
_HASH_LENGTH = 60


def _one_of(key: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        _refuse(f"{key} {value} should be one of {', '.join(filter(None, known))}")


def _refuse(told: str) -> None:
    raise SettingsError(told)


class TlsServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tls_server_config`."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_auth_type: str = ""
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    prefer_server_cipher_suites: bool = True

    def __post_init__(self) -> None:
        """Refuse what does not work, or does not go together."""
        self._check_values()
        self._check_client_auth()
        for text, file in (
            ("cert", "cert_file"),
            ("key", "key_file"),
            ("client_ca", "client_ca_file"),
        ):
            if getattr(self, text) and getattr(self, file):
                _refuse(f"{text} and {file} exclude each other; keep one")
        if self.enabled:
            for name in ("cert", "key"):
                if not getattr(self, name) and not getattr(self, f"{name}_file"):
                    _refuse(f"one of the keys {name}_file and {name} is missing")

    def _check_values(self) -> None:
        for key in ("min_version", "max_version"):
            value = getattr(self, key)
            if value in _OLD_VERSIONS:
                _refuse(f"{key} {value} is refused because RFC 8996 forbids it; TLS12 works")
            _one_of(key, value, VERSIONS)
        if VERSIONS[self.min_version] > VERSIONS[self.max_version]:
            _refuse("max_version is older than min_version")
        for suite in self.cipher_suites:
            _one_of("cipher_suites", suite, (*CIPHERS, *TLS13_CIPHERS))
        if self.max_version == "TLS12" and self.cipher_suites and not self.ciphers:
            _refuse("cipher_suites names no suite of TLS 1.2, but max_version is TLS12")
        for curve in self.curve_preferences:
            _one_of("curve_preferences", curve, CURVES)
        if len(self.curve_preferences) > 1:
            _refuse("curve_preferences takes one curve, because Python's TLS takes only one")

    def _check_client_auth(self) -> None:
        wanted = self.client_auth_type
        if wanted in _UNVERIFIED:
            _refuse(
                f"client_auth_type {wanted} takes a certificate without a check, which Python's "
                "TLS cannot do; RequireAndVerifyClientCert works"
            )
        _one_of("client_auth_type", wanted, CLIENT_AUTH)
        verifies = CLIENT_AUTH[wanted] is not ssl.CERT_NONE
        has_ca = bool(self.client_ca or self.client_ca_file)
        if verifies is not has_ca and wanted != "RequestClientCert":
            # Go would take the certificates of all public authorities.
            _refuse("client_ca_file or client_ca and a client_auth_type that verifies go together")
        if self.client_allowed_sans is not None and wanted != "RequireAndVerifyClientCert":
            _refuse("client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")

    @property
    def enabled(self) -> bool:
        """True if the server speaks TLS. The toolkit decides by the same keys."""
        named = (self.cert, self.key, self.cert_file, self.key_file)
        return any((*named, self.client_ca, self.client_ca_file, self.client_auth_type))

    @property
    def ciphers(self) -> list[str]:
        """OpenSSL's names of the suites of TLS 1.2 that are named."""
        return [CIPHERS[suite] for suite in self.cipher_suites if suite in CIPHERS]


class HttpServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`http_server_config`."""

    http2: bool = True
    """Both values are taken. This server speaks HTTP/1.1, which each client of HTTP/2 speaks."""
    headers: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse the headers and values that the toolkit refuses."""
        for name, value in self.headers.items():
            _one_of("headers", name, _HEADERS)
            if _HEADERS[name]:
                _one_of(f"headers.{name}", value, _HEADERS[name])
            if not value.isprintable():
                _refuse(f"headers.{name} has a character that no header may have")


class RateLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rate_limit`."""

    interval: Duration | None = None
    """Time until a further request is let in; None for no limit."""
    burst: int = 0
    """Requests that are let in at once."""

    def __post_init__(self) -> None:
        """Refuse a limit that lets nobody in."""
        if self.interval and self.burst < 1:
            _refuse("burst should be at least 1, because no request is let in otherwise")


class KubernetesAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kubernetes`: bearer tokens of the cluster are let in. The toolkit has no such key."""


class WebSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    tls_server_config: TlsServerSettings = TlsServerSettings()
    http_server_config: HttpServerSettings = HttpServerSettings()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: dict[str, str] = {}
    kubernetes: KubernetesAuth | UnsetType = UNSET
    """A key without a value is refused, because it would let everybody in."""

    def __post_init__(self) -> None:
        """Refuse what is no hash: a password in the clear, most likely."""
        for user, hashed in self.basic_auth_users.items():
            if not hashed.startswith(("$2a$", "$2b$", "$2y$")) or len(hashed) != _HASH_LENGTH:
                _refuse(
                    f"basic_auth_users.{user} is not a bcrypt hash; make one with "
                    "htpasswd -nBC 10 ''"
                )
