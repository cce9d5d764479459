"""Fuzz targets: log formats, lines, what is around lines, syslog, and what identifies clients."""

from contextlib import suppress

from bench.gateway_lines import WRITE
from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.guess import guess
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.formats.presets import PRESETS
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.pod_logs import read_file_name
from exporter.accesslog.readers.syslog import Inbox, text_of
from exporter.accesslog.readers.syslog_stream import MessageSplitter
from exporter.accesslog.wrappers.wrapper import wrapper
from exporter.config.scalars import Cidr
from exporter.judge.attribute import Attribution
from exporter.model.clusterset import NOT_CLUSTERS, ServiceName
from exporter.model.lines import LineSplitter
from exporter.probe.identity import Forgery, IdentityChecker, ProbeIdentity
from tests.fakes.nouns import NGINX, inventory
from tests.fuzz.harness import Target, halves, text

TIMED = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
FORMATS = (
    "main",
    "combined",
    "json",
    TIMED + ' "$http_user_agent" $request_time $upstream_response_time "$host"',
    'escape=json {"a":"$remote_addr","t":"$time_iso8601","s":$status,"r":$request_time}',
    "$remote_addr\t$time_iso8601\t$host\t$status\t$body_bytes_sent\t$http_x_forwarded_for",
    "$msec $remote_addr $status $request_uri $body_bytes_sent",
    "$remote_addr:$remote_port [$time_local] $status",
    '%a:%{remote}p %l %u %t \\"%r\\" %>s %b %D \\"%{User-Agent}i\\"',
    "{remote: a.b|c, status: s, milliseconds: t, time: at, host: h, user_agent: ua, path: p}",
    *PRESETS,
)
WRAPPERS = ("none", "cri", "docker")
INVENTORY = inventory()
ATTRIBUTION = Attribution(INVENTORY, [Cidr("10.1.0.0/16").network])
NOW = 1_657_179_731.0
AGENT = b"clusterset-exporter/1.0 (cluster=a; service=nginx-test/nginx; id=1657179731000-ab)"
REQUEST = {"address": "10.1.0.1", "path": "/ok", "status": 200, "size": 615, "agent": "curl"}
REQUEST |= {"took": 0.003, "at": 1_657_179_731}
FIELDS = (
    b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl/7.69.1" "-"',
    b'{"remote_addr":"10.1.0.1","status":200,"body_bytes_sent":615}',
    b"2022-07-07T07:42:11+00:00",
    b"\n",
    b"\\x22",
    b"kube-probe/",
    AGENT,
    *(WRITE[name](REQUEST).encode() for name in WRITE),
)


def service_of(host: str) -> tuple[ServiceName, bool] | None:
    return None if host.startswith("x") else (NGINX, host.startswith("a"))


def counted(form: str, block: bytes, wrapping: str = "none", *, flags: int = 0) -> None:
    """Count a block in every way that *flags* choose, and check that no line is lost."""
    words = {"ignore_user_agents": ["kube-probe/"], "ignore_paths": ["/ok"] if flags & 1 else []}
    made = compile_log(
        form, **words, forwarded=bool(flags & 2), host=bool(flags & 4), stamps=bool(flags & 8)
    )
    counter = Counter(
        made,
        ATTRIBUTION.source,
        service_of,
        (lambda at: at // 1) if flags & 8 else None,
        by_arrival=bool(flags & 16),
    )
    lines = Lines(counter, wrapping, counter if flags & 8 else None)
    block = LineSplitter(64 << 10).feed(block + b"\n")
    counts = lines.count("", block)
    assert counts.access + counts.other == counts.read - counts.truncated, counts
    assert counts.access >= counts.ignored + counts.foreign >= 0
    if wrapping == "none":
        assert counts.read == block.count(b"\n"), counts
    for client, hits in counts.clients.items():
        assert client.source in {"a", "b", "c", "d", *NOT_CLUSTERS}, client
        assert 0 <= hits.failures <= hits.requests <= counts.access, hits
    lines.by_second()


def log_format(data: bytes) -> None:
    """The first line is a format, the others are lines of it."""
    flags, form = data[0] if data else 0, data[1:].partition(b"\n")
    counted(text(form[0]), form[2], flags=flags)


def log_lines(data: bytes) -> None:
    """The first bytes choose format and wrapper, the rest is a log."""
    one, two = (*data[:2], 0, 0)[:2]
    form = FORMATS[one % len(FORMATS)]
    with suppress(FormatError):  # not each of them tells a host, a path and a time
        counted(form, data[2:], WRAPPERS[one // len(FORMATS) % 3], flags=two)


def log_guess(data: bytes) -> None:
    """Whatever the lines are, the preset that is named reads some of them."""
    found = guess(data + b"\n", WRAPPERS[len(data) % 3])
    if found is not None:
        assert found.form in PRESETS, found
        assert 0 < found.lines <= found.of <= data.count(b"\n") + 1, found


def wrapped(data: bytes) -> None:
    """A block gives as many lines as its lines do one after the other."""
    kind, whole = ("cri", "docker")[data[:1] > b"\x7f"], data[1:] + b"\n"
    one, other = wrapper(kind), wrapper(kind)
    at_once, by_line = one.unwrap(whole), 0
    for line in whole.split(b"\n")[:-1]:
        by_line += other.unwrap(line + b"\n").count(b"\n")
        other.parts = other.parts
    assert at_once.count(b"\n") == by_line <= whole.count(b"\n")
    assert one.parts == other.parts


def syslog_packet(data: bytes) -> None:
    assert b"\n" not in text_of(data)
    inbox = Inbox()
    inbox.put(data)
    assert len(inbox._lines) + inbox.dropped + inbox.truncated == 1


def syslog_stream(data: bytes) -> None:
    """Messages do not depend on where the stream is cut."""
    whole, cut = MessageSplitter(200), MessageSplitter(200)
    expected = [*whole.feed(data), whole.finish()]
    found = [message for part in halves(data) for message in cut.feed(part)]
    assert [*found, cut.finish()] == expected
    assert cut.too_long == whole.too_long


def user_agent(data: bytes) -> None:
    """A user agent is read with keys and without; nothing unsigned is verified."""
    told = text(data)
    for keys in ((b"key", b"another"), ()):
        checker = IdentityChecker(keys)
        for logged in (None, NOW, -1e300):
            found = checker.read(told, INVENTORY, now=NOW, logged=logged)
            assert isinstance(found, Forgery) or found.verified is bool(keys)
            assert not (keys and isinstance(found, ProbeIdentity) and b"sig=" not in data)


def client_address(data: bytes) -> None:
    """The first line is the address, the second what a proxy said."""
    remote, _, forwarded = data.decode("ascii", "replace").partition("\n")
    assert ATTRIBUTION.source(remote, forwarded) in {"a", "b", "c", "d", *NOT_CLUSTERS}
    read_file_name(text(data))


TARGETS = (
    Target(
        name="log-format",
        check=log_format,
        errors=(FormatError,),
        words=(b"$remote_addr", b"$status", b"$time_local", b"$msec", b"escape=json", *FIELDS),
    ),
    Target(name="log-lines", check=log_lines, errors=(FormatError,), words=FIELDS),
    Target(name="log-guess", check=log_guess, words=FIELDS),
    Target(
        name="wrappers",
        check=wrapped,
        words=(b"2022-07-07T07:42:11Z stdout F ", b" P ", b'{"log":"', b'\\n","stream":"stdout"}'),
    ),
    Target(
        name="syslog-packet", check=syslog_packet, words=(b"<190>Jul  7 07:42:11 nginx: ", b"<1>1 ")
    ),
    Target(name="syslog-stream", check=syslog_stream, words=(b"57 <190>", b"999999 <", b"\n")),
    Target(name="user-agent", check=user_agent, words=(AGENT, b"; sig=", b"0" * 32)),
    Target(name="client-address", check=client_address, words=(b"10.1.0.1", b"::ffff:", b", ")),
)
