"""How names are probed, as an operator may set it: frozen, strict, with one error type."""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from exporter.config.scalars import MAX_PORT, Duration, HostPort, IpAddress
from exporter.config.yaml_reader import SettingsError
from exporter.model.clusterset import ServiceName
from exporter.model.probes import (
    HTTP_FAILURES,
    TCP_FAILURES,
    TLS_FAILURES,
    Failure,
    Lookup,
    Protocol,
)
from exporter.model.verdicts import Policy

MAX_REDIRECTS = 3
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e]*)")
_OURS = frozenset({"host", "user-agent", "connection", "content-length", "transfer-encoding"})
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
_CODE = re.compile(r"[1-5](?:xx|\d\d)")
_TOKEN = re.compile(r"[!-~]+")


def _wants(condition: object, message: str) -> None:
    if not condition:
        raise SettingsError(message)


def _wants_port(port: int | None) -> None:
    _wants(port is None or 0 < port <= MAX_PORT, f"port {port} is not between 1 and {MAX_PORT}")


def _default(value: Any, name: str | None = None) -> Any:  # noqa: ANN401 - as msgspec's field
    # A factory, since msgspec cannot write a default of our own types into a schema; ours can.
    return field(default_factory=lambda: value, name=name)


def _wants_header(line: str) -> None:
    matched = _HEADER.fullmatch(line)
    _wants(matched, f"headers: {line!r} should be Name: value")
    name = matched[1].lower() if matched else ""
    _wants(name not in _OURS, f"headers: {name} is set by the exporter; for Host there is host")
    # The configuration is shown by `config show` and has no secrets.
    _wants(name not in _SECRET, f"headers: {name} is a secret, and probes have none")


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to trust and what to show; named as in Prometheus' own configuration."""

    ca_file: Annotated[str | None, Meta(description="Who is trusted; null: the system's.")] = None
    cert_file: Annotated[str | None, Meta(description="Certificate of this client.")] = None
    key_file: Annotated[str | None, Meta(description="Its key; null: in cert_file.")] = None
    server_name: Annotated[
        str | None, Meta(description="Name wanted in the certificate; null: the host asked for.")
    ] = None
    insecure_skip_verify: Annotated[bool, Meta(description="true: trust anybody.")] = False

    def __post_init__(self) -> None:
        """Refuse half a pair."""
        _wants(self.cert_file or not self.key_file, "key_file is set, and cert_file is not")

    def beside(self, found: Callable[[str], str]) -> "TlsSettings":
        """Return the same with paths as *found* says."""
        paths = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        there = {name: found(path) for name, path in paths.items() if path is not None}
        return msgspec.structs.replace(self, **there)


class TcpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A probe that only opens a connection."""

    port: Annotated[int | None, Meta(description="null: the service's first.")] = None

    def __post_init__(self) -> None:
        """Refuse what is no port."""
        _wants_port(self.port)


class ProbeLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of all probes together."""

    in_flight: Annotated[int, Meta(ge=1, le=4096, description="At once.")] = 512
    per_second: Annotated[int, Meta(ge=1, le=10_000, description="Started.")] = 1000


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP part of a probe."""

    scheme: Annotated[str, Meta(description="http or https.")] = "http"
    port: Annotated[
        int | None, Meta(description="null: the port named as the scheme, else the first.")
    ] = None
    path: Annotated[str, Meta(description="What is asked for.")] = "/"
    method: Annotated[str, Meta(description="GET or HEAD.")] = "GET"
    expect_status: Annotated[
        tuple[str, ...], Meta(description="Codes or classes that are well, such as 200 or 2xx.")
    ] = ("2xx", "3xx")
    host: Annotated[
        str | None, Meta(description="The Host header; null: the clusterset name asked for.")
    ] = None
    expect_body: Annotated[
        str | None, Meta(description="A regular expression to be found in the first 64 KiB.")
    ] = None
    headers: Annotated[
        tuple[str, ...], Meta(description="Further lines of the request, Name: value.")
    ] = ()
    redirects: Annotated[
        int, Meta(ge=0, le=MAX_REDIRECTS, description="Redirects followed on the same host.")
    ] = 0
    tls_config: Annotated[TlsSettings, Meta(description="For https.")] = TlsSettings()

    def __post_init__(self) -> None:
        """Refuse what no server would understand."""
        schemes = {"http", "https"}
        _wants(self.scheme in schemes, f"scheme {self.scheme!r} should be http or https")
        redirects_ok = 0 <= self.redirects <= MAX_REDIRECTS
        _wants(redirects_ok, f"redirects {self.redirects} should be 0 to {MAX_REDIRECTS}")
        for line in self.headers:
            _wants_header(line)
        try:
            re.compile(self.expect_body or "")
        except re.error as error:
            msg = f"expect_body {self.expect_body!r} is no regular expression: {error}"
            raise SettingsError(msg) from error
        _wants_port(self.port)
        path_ok = self.path.startswith("/") and _TOKEN.fullmatch(self.path)
        _wants(path_ok, f"path {self.path!r} should begin with / and hold no spaces")
        _wants(self.method in {"GET", "HEAD"}, f"method {self.method} should be GET or HEAD")
        host_ok = self.host is None or _TOKEN.fullmatch(self.host)
        _wants(host_ok, f"host {self.host!r} should be a host name")
        for code in self.expect_status:
            _wants(_CODE.fullmatch(code), f"expect_status {code!r} is no status; write 200 or 2xx")
        _wants(self.expect_status, "expect_status is empty; write for example [2xx]")

    def expected(self) -> frozenset[int]:
        """Return all status codes that are well."""
        codes: set[int] = set()
        for code in self.expect_status:
            first = int(code[0]) * 100
            codes |= set(range(first, first + 100)) if code.endswith("xx") else {int(code)}
        return frozenset(codes)


class HttpChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is different about the HTTP part for some services."""

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
        """Refuse what the base would refuse."""
        self.of(HttpSettings())

    def of(self, base: HttpSettings) -> HttpSettings:
        """Return *base* with the changes made."""
        given = {n: getattr(self, n) for n in self.__struct_fields__}
        changes = {name: value for name, value in given.items() if value is not UNSET}
        return msgspec.structs.replace(base, **changes)


class ServiceRule(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What is different about some services."""

    match: Annotated[str, Meta(description="A glob on namespace/name, such as shop/*.")]
    http: Annotated[
        HttpChange | UnsetType | None, Meta(description="Changed keys; null: DNS only.")
    ] = UNSET
    policy: Annotated[
        Policy | UnsetType, Meta(description="spread: clients need not stay in their cluster.")
    ] = UNSET
    tcp: Annotated[
        TcpSettings | UnsetType | None,
        Meta(description="Only a connection is opened; an http beside it does not count."),
    ] = UNSET
    interval: Annotated[
        Duration | UnsetType, Meta(description="Instead of the one for all services.")
    ] = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="false: not probed.")] = UNSET
    leak_grace: Annotated[
        Duration | UnsetType, Meta(description="Instead of the one for all services.")
    ] = UNSET

    def __post_init__(self) -> None:
        """Refuse a match that can never match."""
        _wants("/" in self.match, f"match {self.match!r} should be namespace/name; * is allowed")


class ServiceProbe(NamedTuple):
    """How one service is probed."""

    enabled: bool
    http: HttpSettings | None
    policy: Policy
    leak_grace: float | None
    """None: that of all services."""
    tcp: TcpSettings | None
    """Goes before *http*."""
    interval: float

    @property
    def replies(self) -> tuple[Protocol, tuple[Failure, ...]] | None:
        """Return what is spoken after the look-up, and how that may fail; None for DNS only."""
        if self.tcp is not None:
            return Protocol.TCP, TCP_FAILURES
        http = self.http
        if http is None:
            return None
        return Protocol.HTTP, (
            *HTTP_FAILURES,
            *(TLS_FAILURES if http.scheme == "https" else ()),
            *((Failure.REPLY_BODY,) if http.expect_body is not None else ()),
            *((Failure.REPLY_REDIRECT,) if http.redirects else ()),
        )


class FastSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a service is probed after something changed."""

    interval: Duration = _default(Duration(0.2))
    for_: Duration = _default(Duration(30), name="for")


class ProbeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the clusterset names are probed."""

    interval: Annotated[Duration, Meta(description="Each name is probed once per interval.")] = (
        _default(Duration(15))
    )
    timeout: Annotated[Duration, Meta(description="For a whole probe, DNS and HTTP.")] = _default(
        Duration(2)
    )
    confirm: Annotated[
        int, Meta(ge=1, le=100, description="Probes in a row that make a change believed.")
    ] = 2
    fast: Annotated[FastSettings, Meta(description="After a change.")] = _default(FastSettings())
    resolvers: Annotated[
        tuple[HostPort, ...], Meta(description="Name servers; default: those of resolv.conf.")
    ] = ()
    lighthouse: Annotated[
        tuple[HostPort, ...] | Literal["discovered"],
        Meta(
            description="Name servers of the clusterset, each asked for the plain names, too; "
            "discovered: each replica of Lighthouse in the local cluster."
        ),
    ] = "discovered"
    lookup: Annotated[
        Lookup | tuple[Lookup, ...],
        Meta(description="How else plain names are looked up once an interval: client, srv."),
    ] = (Lookup.CLIENT,)
    record: Annotated[Literal["A", "AAAA"], Meta(description="Which address is asked for.")] = "A"
    jitter: Annotated[
        Duration | None, Meta(description="Each start is put off by up to this, at random.")
    ] = None
    limits: Annotated[ProbeLimits, Meta(description="Bounds of all probes together.")] = (
        ProbeLimits()
    )
    source_address: Annotated[
        IpAddress | None, Meta(description="Local address that probes are sent from.")
    ] = None
    pinned: Annotated[bool, Meta(description="Also probe each cluster by its pinned name.")] = True
    http: Annotated[HttpSettings | None, Meta(description="null: DNS only.")] = HttpSettings()
    tcp: Annotated[
        TcpSettings | None, Meta(description="Instead of http: only a connection is opened.")
    ] = None
    services: Annotated[
        tuple[ServiceRule, ...], Meta(description="Exceptions; a later match goes first.")
    ] = ()

    def __post_init__(self) -> None:
        """Refuse times that contradict each other."""
        fast, interval = self.fast.interval, self.interval
        _wants(fast <= interval, f"fast.interval {fast} should be at most interval {interval}")
        told = f"timeout {self.timeout} should be at most interval {interval}"
        _wants(self.timeout <= interval, told)
        jitter_ok = self.jitter is None or self.jitter <= interval
        _wants(jitter_ok, f"jitter {self.jitter} should be at most interval {interval}")
        for rule in self.services:
            own = interval if rule.interval is UNSET else rule.interval
            told = f"interval {own} of {rule.match} should be at least timeout {self.timeout}"
            _wants(own >= self.timeout, told)

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Return how plain names are looked up beside the one question for addresses."""
        wanted = (self.lookup,) if isinstance(self.lookup, Lookup) else self.lookup
        return tuple(each for each in Lookup if each in wanted and each is not Lookup.A)

    @property
    def longest_interval(self) -> float:
        """Return the interval of the service that is probed least often."""
        own = [rule.interval for rule in self.services if rule.interval is not UNSET]
        return max([self.interval, *own])

    def for_service(self, service: ServiceName) -> ServiceProbe:
        """Return how *service* is probed: of several rules that match, a later one goes first."""
        enabled, http, policy, grace = True, self.http, Policy.LOCAL, None
        tcp, interval = self.tcp, self.interval
        for rule in self.services:
            if not fnmatchcase(str(service), rule.match):
                continue
            if rule.http is None:
                http = tcp = None
            elif rule.http is not UNSET:
                http, tcp = rule.http.of(http or HttpSettings()), None
            tcp = tcp if rule.tcp is UNSET else rule.tcp
            interval = interval if rule.interval is UNSET else rule.interval
            policy = policy if rule.policy is UNSET else rule.policy
            enabled = enabled if rule.enabled is UNSET else rule.enabled
            grace = grace if rule.leak_grace is UNSET else rule.leak_grace
        return ServiceProbe(enabled, http, policy, grace, tcp, interval)

    def beside(self, found: Callable[[str], str]) -> "ProbeSettings":
        """Return the same with the paths of all files as *found* says."""
        http = self.http
        if http is not None:
            http = msgspec.structs.replace(http, tls_config=http.tls_config.beside(found))
        rules = tuple(_rule_beside(rule, found) for rule in self.services)
        return msgspec.structs.replace(self, http=http, services=rules)

    def tls_configs(self) -> Iterator[TlsSettings]:
        """Yield each way in which TLS may be spoken; none if nobody speaks https."""
        base = self.http or HttpSettings()
        changes = [rule.http for rule in self.services if isinstance(rule.http, HttpChange)]
        if "https" not in {base.scheme, *(change.scheme for change in changes)}:
            return
        yield base.tls_config
        yield from (c.tls_config for c in changes if isinstance(c.tls_config, TlsSettings))


def _rule_beside(rule: ServiceRule, found: Callable[[str], str]) -> ServiceRule:
    change = rule.http
    if not isinstance(change, HttpChange) or not isinstance(change.tls_config, TlsSettings):
        return rule
    # The scheme may come from an earlier rule or the base: it is put together where it is used.
    moved = msgspec.structs.replace(change, tls_config=change.tls_config.beside(found))
    return msgspec.structs.replace(rule, http=moved)
