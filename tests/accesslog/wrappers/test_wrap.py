"""Container runtimes' files: what goes in between comes out again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.wrappers.wrapper import MAX_LINE, Cri, Docker, wrapper
from exporter.model.clusterset import ServiceName

NGINX = ServiceName("nginx-test", "nginx")
LINE = b'10.1.0.%d - - [07/Jul/2022:07:42:11 +0000] "GET /\\x22 HTTP/1.1" 200 6 "-" "c" "-"'


def cri(text, tag=b"F", stream=b"stdout"):
    return b"2022-07-07T07:42:11.123456789Z %s %s %s\n" % (stream, tag, text)


def docker(text, stream="stdout"):
    # As docker writes it: no spaces, and <, > and & as \u00xx.
    made = json.dumps({"log": text.decode(), "stream": stream, "time": "2022-07-07T07:42:11Z"})
    return made.replace(": ", ":").replace(", ", ",").replace("&", r"\u0026").encode() + b"\n"


def test_cri_whole_lines():
    around = Cri()
    assert around.unwrap(cri(b"a b") + cri(b"") + cri(b"c", b"F:x")) == b"a b\n\nc\n"


def test_cri_parts_are_joined_by_stream_and_over_blocks():
    around = Cri()
    first = cri(b"one ", b"P") + cri(b"err ", b"P", b"stderr") + cri(b"two ", b"P")
    assert around.unwrap(first) == b""
    assert around.parts == {"stdout": b"one two ", "stderr": b"err "}
    assert (
        around.unwrap(cri(b"end", b"F", b"stderr") + cri(b"three")) == b"err end\none two three\n"
    )
    assert around.parts == {}


def test_a_tail_that_looks_like_a_line_is_none():
    """The part after a cut inside the address is an access line by itself, of another client."""
    text = LINE % 7
    around = Cri()
    assert around.unwrap(cri(text[:3], b"P") + cri(text[3:])) == text + b"\n"


def test_what_is_not_wrapped_is_no_line():
    for around in (Cri(), Docker()):
        assert around.unwrap(LINE % 1 + b"\n" + b"\n") == b"\n\n"


@pytest.mark.parametrize(("make", "kind"), [(cri, Cri), (lambda t, *_: docker(t), Docker)])
def test_parts_are_bounded(make, kind):
    around = kind()
    for _ in range(20):
        around.unwrap(make(b"x" * 16384, b"P"))
        assert sum(map(len, around.parts.values())) <= MAX_LINE
    end = b"end" if kind is Cri else b"end\n"
    whole = b"next" if kind is Cri else b"next\n"
    assert around.unwrap(make(end) + make(whole)) == b"next\n"
    assert around.truncated == 1


def test_docker_whole_lines_and_escapes():
    around = Docker()
    text = b'a "quoted" \\x22 back \t tab & \xc3\xa9\n'
    assert around.unwrap(docker(text)) == text
    assert around.unwrap(docker(b'plain "x"\n') * 2) == b'plain "x"\n' * 2


def test_docker_parts_are_joined():
    around = Docker()
    assert around.unwrap(docker(b"x" * 16384)) == b""
    assert around.unwrap(docker(b"err\n", "stderr") + docker(b"end\n")) == (
        b"err\n" + b"x" * 16384 + b"end\n"
    )


def test_none_is_none():
    assert wrapper("none") is None
    assert isinstance(wrapper("cri"), Cri)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=30), st.data())
def test_however_lines_are_cut_and_blocks_fall_the_counts_are_the_same(cuts, data):
    kind = data.draw(st.sampled_from(["cri", "docker"]))
    wrapped = []
    for n, cut in enumerate(cuts):
        text = LINE % (n % 5)
        if kind == "cri":
            parts = [cri(text[:cut], b"P")] if 0 < cut < len(text) else []
            wrapped += [*parts, cri(text[cut:] if parts else text)]
        else:
            parts = [docker(text[:cut])] if 0 < cut < len(text) else []
            wrapped += [*parts, docker((text[cut:] if parts else text) + b"\n")]
    counter = Counter(compile_log("main"), lambda remote, _: remote, lambda _: (NGINX, False))
    lines, read, clients = Lines(counter, kind), 0, {}
    while wrapped:
        number = data.draw(st.integers(1, len(wrapped)))
        counts = lines.count("a", b"".join(wrapped[:number]))
        wrapped = wrapped[number:]
        assert counts.other == 0
        read += counts.access
        for client, hits in counts.clients.items():
            clients[client.source] = clients.get(client.source, 0) + hits.requests
    wanted = {f"10.1.0.{n}": 0 for n in range(5)}
    for n in range(len(cuts)):
        wanted[f"10.1.0.{n % 5}"] += 1
    assert read == len(cuts)
    assert clients == {address: number for address, number in wanted.items() if number}


@given(st.binary(max_size=300))
def test_anything_may_stand_in_a_file(raw):
    for around in (Cri(), Docker()):
        block = raw + b"\n"
        assert around.unwrap(block).count(b"\n") <= block.count(b"\n") + 1


def test_streams_are_apart_and_let_go():
    counter = Counter(compile_log("main"), lambda remote, _: remote, lambda _: (NGINX, False))
    lines = Lines(counter, "cri")
    text = LINE % 1
    lines.count("a.log", cri(text[:9], b"P"))
    lines.count("b.log", cri(text))
    assert lines.all_parts() == {"a.log": {"stdout": text[:9]}}
    other = Lines(counter, "cri")
    other.restore("a.log", lines.all_parts()["a.log"])
    assert other.count("a.log", cri(text[9:])).access == 1
    lines.keep({"b.log"})
    assert lines.all_parts() == {}
