"""Settings of one request: HTTP, TLS, or only a TCP connection."""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from exporter.config.require import require
from exporter.config.scalars import MAX_PORT
from exporter.config.yaml_reader import SettingsError

MAX_REDIRECTS = 3
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e]*)")
OURS = frozenset({"host", "user-agent", "connection", "content-length", "transfer-encoding"})
"""Headers that the exporter sets by itself."""
SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Headers with secrets, which probes do not send."""
_CODE = re.compile(r"[1-5](?:xx|[0-9][0-9])")
_TOKEN = re.compile(r"[!-~]+")


def _require_port(port: int | None) -> None:
    require(port is None or 0 < port <= MAX_PORT, f"port {port} is not between 1 and {MAX_PORT}")


def _require_header(line: str) -> None:
    matched = _HEADER.fullmatch(line)
    require(matched, f"headers: {line!r} should be Name: value")
    name = matched[1].lower() if matched else ""
    require(name not in OURS, f"headers: {name} is set by the exporter; set Host by the key host")
    # `config show` prints the configuration, so it must contain no secrets.
    require(name not in SECRET, f"headers: {name} is a secret; probes send no secrets")


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of a probe; the keys have the names of Prometheus' configuration."""

    ca_file: Annotated[
        str | None, Meta(description="File with trusted CAs; null: those of the system.")
    ] = None
    cert_file: Annotated[str | None, Meta(description="File with the client certificate.")] = None
    key_file: Annotated[
        str | None, Meta(description="File with its key; null: the key is in cert_file.")
    ] = None
    server_name: Annotated[
        str | None,
        Meta(description="Name that the certificate must have; null: the requested host."),
    ] = None
    insecure_skip_verify: Annotated[
        bool, Meta(description="true: any certificate is accepted.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse a key without a certificate."""
        require(self.cert_file or not self.key_file, "key_file is set, and cert_file is not")


class TcpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A probe that only opens a connection."""

    port: Annotated[int | None, Meta(description="null: the first port of the service.")] = None

    def __post_init__(self) -> None:
        """Refuse a number that is not a port."""
        _require_port(self.port)


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP part of a probe."""

    scheme: Annotated[str, Meta(description="http or https.")] = "http"
    port: Annotated[
        int | None, Meta(description="null: the port with the name of the scheme, else the first.")
    ] = None
    path: Annotated[str, Meta(description="Path of the request.")] = "/"
    method: Annotated[str, Meta(description="GET or HEAD.")] = "GET"
    expect_status: Annotated[
        tuple[str, ...],
        Meta(description="Codes or classes that are a success, such as 200 or 2xx."),
    ] = ("2xx", "3xx")
    host: Annotated[str | None, Meta(description="The Host header; null: the clusterset name.")] = (
        None
    )
    expect_body: Annotated[
        str | None, Meta(description="A regular expression that the first 64 KiB must contain.")
    ] = None
    headers: Annotated[
        tuple[str, ...], Meta(description="More header lines of the request, Name: value.")
    ] = ()
    redirects: Annotated[
        int,
        Meta(
            ge=0, le=MAX_REDIRECTS, description="How many redirects to the same host are followed."
        ),
    ] = 0
    tls_config: Annotated[TlsSettings, Meta(description="TLS, for scheme https.")] = TlsSettings()

    def __post_init__(self) -> None:
        """Refuse a request that no server would understand."""
        schemes = {"http", "https"}
        require(self.scheme in schemes, f"scheme {self.scheme!r} should be http or https")
        redirects_ok = 0 <= self.redirects <= MAX_REDIRECTS
        require(redirects_ok, f"redirects {self.redirects} should be 0 to {MAX_REDIRECTS}")
        for line in self.headers:
            _require_header(line)
        try:
            re.compile(self.expect_body or "")
        except (re.error, OverflowError, RecursionError) as error:
            # The last two are of numbers and of brackets without end.
            msg = f"expect_body {self.expect_body!r} is not a regular expression: {error}"
            raise SettingsError(msg) from error
        _require_port(self.port)
        path_ok = self.path.startswith("/") and _TOKEN.fullmatch(self.path)
        require(path_ok, f"path {self.path!r} should begin with / and contain no spaces")
        require(self.method in {"GET", "HEAD"}, f"method {self.method} should be GET or HEAD")
        host_ok = self.host is None or _TOKEN.fullmatch(self.host)
        require(host_ok, f"host {self.host!r} should be a host name")
        for code in self.expect_status:
            require(
                _CODE.fullmatch(code), f"expect_status {code!r} is not a status; write 200 or 2xx"
            )
        require(self.expect_status, "expect_status is empty; write for example [2xx]")

    def expected(self) -> frozenset[int]:
        """Return all status codes that are a success."""
        codes: set[int] = set()
        for code in self.expect_status:
            first = int(code[0]) * 100
            codes |= set(range(first, first + 100)) if code.endswith("xx") else {int(code)}
        return frozenset(codes)


class HttpChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Changes of the HTTP settings for some services."""

    scheme: str | UnsetType = UNSET
    port: int | UnsetType | None = UNSET
    path: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    expect_status: tuple[str, ...] | UnsetType = UNSET
    host: str | UnsetType | None = UNSET
    expect_body: str | UnsetType | None = UNSET
    headers: tuple[str, ...] | UnsetType = UNSET
    redirects: int | UnsetType = UNSET
    tls_config: TlsSettings | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse a value that HttpSettings would refuse."""
        self.of(HttpSettings())

    def of(self, base: HttpSettings) -> HttpSettings:
        """Return *base* with these changes."""
        given = {n: getattr(self, n) for n in self.__struct_fields__}
        changes = {name: value for name, value in given.items() if value is not UNSET}
        return msgspec.structs.replace(base, **changes)
