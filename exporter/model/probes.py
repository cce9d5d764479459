"""
Probes: what is asked, what was answered, and why it failed.

Clocks: a field called `at` is seconds of the event loop's monotonic clock, good for differences;
`unix` is seconds since 1970, good for people. Durations are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from exporter.model.clusterset import Address, ServiceName


class NameKind(StrEnum):
    """Which of a service's clusterset names was asked."""

    PLAIN = "plain"
    PINNED = "pinned"


class Record(StrEnum):
    """The type of DNS record that is asked for."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"


class Lookup(StrEnum):
    """How a name is looked up. Each way is counted separately."""

    A = "a"
    """One question for addresses."""
    CLIENT = "client"
    """Questions for IPv4 and IPv6 addresses at once from one socket, as getaddrinfo asks."""
    SRV = "srv"


class Vantage(StrEnum):
    """The name server that is asked for a name."""

    RESOLVER = "resolver"
    """The name servers of the system, asked in turn until one answers, as clients ask them."""
    RESOLVER_2 = "resolver_2"
    """The second name server of the system alone, for comparison."""
    RESOLVER_3 = "resolver_3"
    LIGHTHOUSE = "lighthouse"
    """A name server of the clusterset itself, without a cache or forwarder in front."""


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
    """The protocol of a probe. Each protocol is counted separately."""

    DNS = "dns"
    HTTP = "http"
    TCP = "tcp"


class Skip(StrEnum):
    """Why a probe was not made."""

    OVERRUN = "overrun"
    """The previous probe is still running."""
    IN_FLIGHT = "in_flight"
    """The maximum number of probes is running."""
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
    """SRV records name another host, or a port that the service does not have."""
    WRONG_ANSWER = "wrong_answer"
    """Answers came, but none to our question: another id, question or type."""
    UNREACHABLE = "unreachable"
    """No message could be sent to any name server."""
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
    """This process ran out of file descriptors, ports or buffers. The target is not judged."""


class ServiceAddress(NamedTuple):
    """The content of an SRV record."""

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
    """Seconds for which a cache may keep a negative answer; None if unknown."""
    rcode: str = ""
    """The name server's code, such as NOERROR; empty where none came."""
    resolver: str = ""
    """host:port of the name server that answered, or that was tried last."""
    took: float
    """From the first question to the answer, or to giving up."""
    failure: Failure | None = None
    mismatched_responses: int = 0
    """Messages that came and were no answer to the question: passed over."""
    earlier: tuple["Answer", ...] = ()
    """The failed answers of the name servers that were asked before."""


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
    """The first end of the certificates that the server sent, unix seconds, trusted or not."""
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
