"""
The nouns that every stage shares. Values only: nothing here reads, writes, waits or logs.

Clocks: a field called `at` is seconds of the event loop's monotonic clock, good for differences;
`unix` is seconds since 1970, good for people. Durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

EXTERNAL = "external"
"""A source that no cluster owns."""
UNKNOWN = "unknown"
"""A source that could not be told: not an address."""
VTEP = "vtep"
"""A source in 240/8 or 241/8: an address of Submariner's own tunnels, so SNAT is broken."""
NOT_CLUSTERS = frozenset({EXTERNAL, UNKNOWN, VTEP})
"""Label values beside the cluster ids, hence no cluster's id."""


class ServiceName(NamedTuple):
    """A service by namespace and name, the same in every cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """As kubectl writes it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One member of the clusterset, as the local cluster knows it."""

    id: str
    pod_cidrs: tuple[Network, ...] = ()
    service_cidrs: tuple[Network, ...] = ()
    global_cidrs: tuple[Network, ...] = ()
    """Globalnet's addresses of this cluster; empty where Globalnet is off."""
    node_addresses: tuple[Address, ...] = ()
    connected: bool = True
    """The local gateway has a live tunnel to it; says nothing about the local cluster."""
    answered: bool | None = None
    """Lighthouse counts it as connected; None if it sees no more than *connected* says."""
    latency: float | None = None
    """Seconds of a round trip from the local gateway to its; None where nobody measures that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a service."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One cluster's share of a service: a ServiceExport and what Lighthouse knows about it."""

    cluster: str
    addresses: tuple[Address, ...]
    """One for a ClusterIP service; of a headless one all that its name answers."""
    ready: bool
    """At least one endpoint is ready."""
    backed: bool | None = None
    """There is at least one endpoint, ready or not; None if no more is known than *ready*."""


class Condition(NamedTuple):
    """What the controller says of a ServiceExport."""

    type: str
    holds: bool | None
    """None where it says that it does not know."""
    reason: str = ""


class Endpoints(NamedTuple):
    """How many endpoints a service has in the local cluster."""

    ready: int
    not_ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of the clusterset and who exports it."""

    name: ServiceName
    ports: tuple[Port, ...] = ()
    exports: tuple[Export, ...] = ()
    headless: bool = False
    clusterset_ips: tuple[Address, ...] = ()
    """Addresses of the service in the whole clusterset, which tell nothing of who serves."""
    karmada_endpoints: tuple[str, ...] = ()
    """Clusters whose endpoints Karmada's MultiClusterService put behind the local Service."""
    probed: bool = True
    """Nobody asked by annotation that it be left alone."""
    named: bool = True
    """The name server knows it: more of it is here than a ServiceExport that waits."""
    endpoints: Endpoints | None = None
    """Those of the local cluster itself; None if it does not export the service."""
    conditions: tuple[Condition, ...] = ()
    """Of the local cluster's ServiceExport; empty without one."""

    def export_of(self, cluster: str) -> Export | None:
        """Return the export of *cluster*, or None if it has none."""
        return next((export for export in self.exports if export.cluster == cluster), None)

    def owner_of(self, address: Address) -> str | None:
        """Return the cluster that exports this service with *address*, or None."""
        return next((e.cluster for e in self.exports if address in e.addresses), None)


class Profile(StrEnum):
    """Whose name server answers clusterset names, and so by which rules."""

    SUBMARINER = "submariner"
    CILIUM = "cilium"
    GKE = "gke"


Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All that is known of the clusterset at one moment, as the cluster *local* sees it."""

    local: str
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    services: Mapping[ServiceName, Service] = field(default_factory=dict)
    profile: Profile = Profile.SUBMARINER
    version: Version | None = None
    """Submariner's; None if it is not known, then it counts as a current one."""
    knows_local: bool = True
    """Lighthouse knows which cluster it runs in; without that it prefers none."""
    knows_gateways: bool = True
    """Lighthouse found Submariner when it started; else it counts every cluster as connected."""
    karmada_cluster: str = ""
    """Karmada's name of the local cluster; empty if Karmada sent nothing here."""
    lighthouse: tuple[tuple[Address, int], ...] = ()
    """Addresses and ports of the clusterset's name servers in the local cluster, each replica."""

    @cached_property
    def connected(self) -> frozenset[str]:
        """Clusters that can be reached from here; the local one always can."""
        return frozenset({self.local} | {c.id for c in self.clusters.values() if c.connected})

    @cached_property
    def answered(self) -> frozenset[str]:
        """Clusters that Lighthouse counts as connected: it forgets none that it does not see."""
        if not self.knows_gateways:
            return frozenset({self.local, *self.clusters})
        told = {
            c.id
            for c in self.clusters.values()
            if (c.connected if c.answered is None else c.answered)
        }
        return frozenset({self.local} | told)


class Container(NamedTuple):
    """A container of a pod, and the ports that it declares."""

    name: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as far as its log matters."""

    namespace: str
    name: str
    containers: tuple[Container, ...]
    log_container: str = ""
    """The container whose log is wanted, by annotation; empty without one."""
    log_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What stands behind a service that the local cluster exports."""

    service: ServiceName
    pods: tuple[str, ...]
    """Names of the pods, in the service's namespace."""
    ports: tuple[int, ...] = ()
    """Ports of the pods that the service sends to."""
    log_container: str = ""
    log_format: str = ""


class NameKind(StrEnum):
    """Which of a service's clusterset names was asked."""

    PLAIN = "plain"
    PINNED = "pinned"


class Record(StrEnum):
    """The type of record that is asked for."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"


class Lookup(StrEnum):
    """How a name is looked up; each is counted by itself."""

    A = "a"
    """One question for addresses."""
    CLIENT = "client"
    """Questions for IPv4 and IPv6 addresses at once from one socket, as getaddrinfo asks."""
    SRV = "srv"


class Vantage(StrEnum):
    """Who is asked for a name."""

    RESOLVER = "resolver"
    """The name servers of the system: what clients ask."""
    LIGHTHOUSE = "lighthouse"
    """A name server of the clusterset itself, with no cache or forwarder before it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A name to ask for: a service's plain name, or the one pinned to a cluster."""

    service: ServiceName
    pinned: str | None = None
    record: Record = Record.A

    @classmethod
    def of_name(cls, name: str, domain: str) -> "Question | None":
        """Return what *name*, which may have a port, asks for; None if it is no clusterset name."""
        name = name.lower().partition(":")[0].removesuffix(".")
        labels = name.removesuffix(f".svc.{domain}").split(".")
        if not name.endswith(f".svc.{domain}") or len(labels) not in {2, 3}:
            return None
        return cls(ServiceName(labels[-1], labels[-2]), labels[0] if labels[2:] else None)

    @property
    def kind(self) -> NameKind:
        """Return which kind of name it is."""
        return NameKind.PLAIN if self.pinned is None else NameKind.PINNED

    def dns_name(self, domain: str) -> str:
        """Return the absolute name, without the final dot."""
        prefix = "" if self.pinned is None else f"{self.pinned}."
        return f"{prefix}{self.service.name}.{self.service.namespace}.svc.{domain}"


class Protocol(StrEnum):
    """What a probe speaks; each is counted by itself."""

    DNS = "dns"
    HTTP = "http"
    TCP = "tcp"


class Skip(StrEnum):
    """Why a probe was not made."""

    OVERRUN = "overrun"
    """The one before still runs."""
    IN_FLIGHT = "in_flight"
    """As many as allowed run at once."""
    LATE = "late"
    """Its time passed while others were started: as many as allowed a second, or a loop held up."""


class Phase(StrEnum):
    """A timed part of a probe."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    REPLY = "reply"


class Failure(StrEnum):
    """Why a probe failed: a closed set, since each is a label value."""

    # of the DNS part
    TIMEOUT = "timeout"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    NOTIMP = "notimp"
    NOTZONE = "notzone"
    RCODE = "rcode"
    """Any other error code of a name server, such as FORMERR."""
    TRUNCATED = "truncated"
    """Truncated over UDP, and TCP gave no whole answer either."""
    MALFORMED = "malformed"
    CNAME_LOOP = "cname_loop"
    SRV_MISMATCH = "srv_mismatch"
    """SRV records that name another host, or a port that the service has not."""
    WRONG_ANSWER = "wrong_answer"
    """Answers came, and none to our question: another id, question or type."""
    UNREACHABLE = "unreachable"
    """No name server could be sent to."""
    # of the part after it
    NO_PORT = "no_port"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_UNREACHABLE = "connect_unreachable"
    TLS_TIMEOUT = "tls_timeout"
    TLS_FAILED = "tls_failed"
    """No connection that both sides trust: an unknown CA, another name, an old version."""
    TLS_EXPIRED = "tls_expired"
    """The certificate is past its end."""
    REPLY_TIMEOUT = "reply_timeout"
    REPLY_EMPTY = "reply_empty"
    """The connection ended before the reply began."""
    REPLY_CLOSED = "reply_closed"
    """The connection ended in the head of the reply."""
    REPLY_CUT = "reply_cut"
    """The connection ended in the body of the reply."""
    REPLY_MALFORMED = "reply_malformed"
    REPLY_TOO_LARGE = "reply_too_large"
    """The reply's head passed the limit."""
    REPLY_STATUS = "reply_status"
    """A whole reply, with a status that was not expected."""
    REPLY_BODY = "reply_body"
    """A reply whose body, as far as it was read, does not match what was expected."""
    REPLY_REDIRECT = "reply_redirect"
    """A redirect that is not followed: to another host, or one too many."""
    # of both
    RESOURCE = "resource"
    """This process ran out of file descriptors, ports or buffers: says nothing about the target."""


DNS_FAILURES = (
    Failure.TIMEOUT,
    Failure.NXDOMAIN,
    Failure.NODATA,
    Failure.SERVFAIL,
    Failure.REFUSED,
    Failure.NOTIMP,
    Failure.NOTZONE,
    Failure.RCODE,
    Failure.TRUNCATED,
    Failure.MALFORMED,
    Failure.CNAME_LOOP,
    Failure.WRONG_ANSWER,
    Failure.UNREACHABLE,
    Failure.RESOURCE,
)
TCP_FAILURES = (
    Failure.NO_PORT,
    Failure.CONNECT_TIMEOUT,
    Failure.CONNECT_REFUSED,
    Failure.CONNECT_UNREACHABLE,
    Failure.RESOURCE,
)
HTTP_FAILURES = (
    *TCP_FAILURES,
    Failure.REPLY_TIMEOUT,
    Failure.REPLY_EMPTY,
    Failure.REPLY_CLOSED,
    Failure.REPLY_CUT,
    Failure.REPLY_MALFORMED,
    Failure.REPLY_TOO_LARGE,
    Failure.REPLY_STATUS,
)
TLS_FAILURES = (Failure.TLS_TIMEOUT, Failure.TLS_FAILED, Failure.TLS_EXPIRED)


class ServiceAddress(NamedTuple):
    """What an SRV record says."""

    priority: int
    weight: int
    port: int
    target: str
    """An absolute name, lower case, without the final dot."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """
    What one look-up saw. A failed look-up is an answer too, not an exception.

    Not frozen, as little else that is made for each probe is: it would take three times as long.
    """

    addresses: tuple[Address, ...] = ()
    services: tuple[ServiceAddress, ...] = ()
    ttl: int | None = None
    """Seconds, the smallest of the records used."""
    negative_ttl: int | None = None
    """Seconds for which a cache may keep that there is nothing; None if it was not told."""
    rcode: str = ""
    """The name server's code, such as NOERROR; empty where none came."""
    resolver: str = ""
    """host:port of the name server that answered, or that was tried last."""
    took: float
    """From the first question to the answer, or to giving up."""
    failure: Failure | None = None
    strangers: int = 0
    """Messages that came and were no answer to the question: passed over."""
    earlier: tuple["Answer", ...] = ()
    """Of the name servers that were asked before, in vain."""


@dataclass(slots=True, kw_only=True)
class Reply:
    """What one request, or one connection, saw. A failed one is a reply too."""

    address: Address
    port: int
    status: int | None = None
    server: str = ""
    """The Server header: what said that it answered, cut to 64 characters."""
    connect: float | None = None
    """Time of the TCP handshake; None if it did not succeed."""
    rtt: float | None = None
    """The same as the kernel measured it; None where it does not tell."""
    tls: float | None = None
    """Time of the TLS handshake; None if there was none, or it did not succeed."""
    certificate_expires: float | None = None
    """The end of the server's certificate, unix seconds, whether it is trusted or not."""
    redirects: int = 0
    """Redirects followed; times are those of the last request."""
    took: float | None = None
    """From the request to the reply's last byte; None if it did not get that far."""
    failure: Failure | None = None


@dataclass(slots=True, kw_only=True)
class Probe:
    """One question, its answer, and the reply of the address answered."""

    question: Question
    at: float
    ended: float
    unix: float
    answer: Answer
    reply: Reply | None = None
    """None if there was nothing to ask, or only DNS is probed for the service."""
    more: tuple[Reply, ...] = ()
    """Of a headless service: of the addresses after the first."""
    protocol: Protocol = Protocol.DNS
    """What the reply was asked for by; DNS if none was wanted."""
    lookup: Lookup = Lookup.A
    vantage: Vantage = Vantage.RESOLVER
    lagged: bool = False
    """The event loop was held up meanwhile: the times say nothing about the target."""

    @property
    def decides(self) -> bool:
        """Return whether it says what clients get; else it is for comparison."""
        return self.lookup is Lookup.A and self.vantage is Vantage.RESOLVER

    @property
    def failure(self) -> Failure | None:
        """Return the first thing that failed, or None if all is well."""
        if self.answer.failure is not None or self.reply is None:
            return self.answer.failure
        return self.reply.failure


LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histograms of probes and requests, seconds."""
RTTS = (0.00005, 0.0001, 0.00025, 0.0005, *LATENCIES[:9])
"""Upper bounds of the histogram of round trips, seconds."""


class Client(NamedTuple):
    """Whose requests are summed together."""

    service: ServiceName
    source: str
    """A cluster id, or one of NOT_CLUSTERS."""
    pinned: bool = False
    """The request's Host names the cluster that served it."""
    at: float | None = None
    """When the span of time began in which they were served, unix seconds; None for all time."""


@dataclass(slots=True)
class Hits:
    """Client requests, summed."""

    requests: int = 0
    failures: int = 0
    """Answered with 5xx."""
    bytes: int = 0
    seconds: float = 0.0
    """Time that those took whose time was logged."""
    durations: list[int] = field(default_factory=list)
    """How many took up to each bound of LATENCIES, and longer; empty if no time was logged."""

    def add(self, other: "Hits") -> None:
        """Add *other* to this sum."""
        self.requests += other.requests
        self.failures += other.failures
        self.bytes += other.bytes
        self.seconds += other.seconds
        if other.durations:
            mine = self.durations or [0] * len(other.durations)
            self.durations = [a + b for a, b in zip(mine, other.durations, strict=True)]


class ProbeHit(NamedTuple):
    """A probe of some exporter, seen in a log."""

    service: ServiceName
    source: str
    """The cluster that the client address belongs to."""
    user_agent: str


@dataclass(slots=True)
class LogCounts:
    """What some blocks of an access log hold."""

    read: int = 0
    access: int = 0
    """Lines that are access lines: clients', probes', ignored ones, foreign ones."""
    other: int = 0
    ignored: int = 0
    foreign: int = 0
    """Access lines whose host is no service of the clusterset, or outside the time asked for."""
    truncated: int = 0
    """Lines cut since they were longer than the limit."""
    slow_blocks: int = 0
    """Blocks that had to be read line by line to be exact."""
    clients: dict[Client, Hits] = field(default_factory=dict)
    probes: list[ProbeHit] = field(default_factory=list)
    first: float | None = None
    """The oldest access line's own time stamp, unix seconds; None without one."""
    last: float | None = None


class Locality(StrEnum):
    """How right it is that a hit was served here."""

    LOCAL = "local"
    FAILOVER = "failover"
    LEAK = "leak"
    PINNED = "pinned"
    REMOTE = "remote"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


class WatchState(StrEnum):
    """How a watched resource of the API server stands."""

    LISTING = "listing"
    SYNCED = "synced"
    NOT_INSTALLED = "not_installed"
    """The API server knows no such resource, so there are no such objects."""
    FORBIDDEN = "forbidden"
    FAILING = "failing"
    """What was seen last is kept."""


class Watch(NamedTuple):
    """A watched resource of the API server."""

    resource: str
    state: WatchState
    age: float
    """Seconds since the server last said something; infinite before it did."""
    requests: int
    relists: int
    failures: int
    broken: int
    """Objects that make no sense."""
    problem: str


class Mode(StrEnum):
    """What a client in this cluster gets now from a service."""

    LOCAL = "local"
    REMOTE = "remote"
    FAILOVER = "failover"
    MIXED = "mixed"
    BLACKOUT = "blackout"
    UNKNOWN = "unknown"


class Rule(StrEnum):
    """A promise of the clusterset that a probe can check."""

    LOCAL_FIRST = "local_first"
    FAILS_OVER = "fails_over"
    CONNECTED_ONLY = "connected_only"
    SPREADS = "spreads"
    PINS = "pins"
    RESOLVES = "resolves"
    REACHABLE = "reachable"


class Reason(StrEnum):
    """What made a service move."""

    READINESS = "readiness"
    CONNECTION = "connection"
    UNEXPORT = "unexport"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """A duration of a failover."""

    DNS = "dns"
    SERVED = "served"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """A service moved from one cluster to another, for the clients of this cluster."""

    service: ServiceName
    from_cluster: str
    to_cluster: str
    reason: Reason
    unix: float
    """When the first good reply came from the new cluster."""
    durations: Mapping[Stage, float]
    """Empty if nobody looked while it happened."""
    accuracy: float
    """Seconds by which the durations may be off: the time between two probes."""


class Hazard(StrEnum):
    """What would break the next failover, or the verdict on it."""

    KARMADA_ENDPOINTS = "karmada_endpoints"
    OVERLAPPING_CIDRS = "overlapping_cidrs"
    STALE_GATEWAY = "stale_gateway"
    HEADLESS_NO_LOCAL = "headless_no_local"
    OLD_LIGHTHOUSE_SILENT_NXDOMAIN = "old_lighthouse_silent_nxdomain"
    NO_PINNED_NAMES = "no_pinned_names"
    SINGLE_CLUSTER = "single_cluster"


HAZARD_MEANS: Mapping[Hazard, str] = {
    Hazard.KARMADA_ENDPOINTS: "Karmada put endpoints of other clusters behind the Service here, "
    "so it looks ready with no pod of its own",
    Hazard.OVERLAPPING_CIDRS: "clusters claim the same addresses, so their clients can't be told",
    Hazard.STALE_GATEWAY: "a cluster without a tunnel is still answered",
    Hazard.HEADLESS_NO_LOCAL: "a headless service has no local preference",
    Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN: "this Lighthouse does not reply to unknown names; "
    "clients wait until they give up",
    Hazard.NO_PINNED_NAMES: "so no standby is put to the test",
    Hazard.SINGLE_CLUSTER: "exports it; there is none to move to",
}
"""What each means, as the end of a sentence that begins with its name."""


class Policy(StrEnum):
    """Whether a service's clients are meant to stay in their cluster."""

    LOCAL = "local"
    SPREAD = "spread"


@dataclass(slots=True, kw_only=True)
class Judged:
    """What one probe showed."""

    destination: str | None
    """The cluster that the answer pointed to; UNKNOWN for an address nobody exports."""
    checks: tuple[tuple[Rule, bool], ...] = ()
    """Each promise that could be checked, and whether it was kept."""
    failovers: tuple[Failover, ...] = ()
    """Moves that are over."""
    outage: float = 0.0
    """Seconds of outage that this probe added."""
    restless: bool = False
    """Another outcome than the last time: worth a closer look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """How a service stands now, as seen from the local cluster."""

    service: Service
    policy: Policy
    mode: Mode
    since: float | None
    """When the mode began, on the monotonic clock."""
    serving: str | None
    """The cluster that serves, confirmed; None in a blackout."""
    expected: frozenset[str]
    """Clusters that should."""
    standbys: frozenset[str]
    """Clusters that would serve if the one that serves stopped."""
    hazards: frozenset[Hazard]
    pinned: Mapping[str, Probe]
    """The newest pinned probe of each exporting cluster."""
    plain: Probe | None
    """The newest plain probe."""
