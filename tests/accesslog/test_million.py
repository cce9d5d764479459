"""A million lines, and half a million damaged ones, counted by two that share no code."""

import random

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts
from tests.fakes import plain_counter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NGINX = ServiceName("nginx-test", "nginx")
AGENTS = (
    "curl/8.5.0",
    "-",
    "",
    "Mozilla/5.0 (X11)",
    "kube-probe/1.29",
    "clusterset-exporter/0 (x)",
)
REQUESTS = ("GET / HTTP/1.1", "", r"\x16\x03\x01", "GET /a b HTTP/1.1", "POST /x?y=[z] HTTP/2.0")


def lines(chance, number):
    for _ in range(number):
        user = "john doe" if chance.random() < 0.01 else "-"
        yield (
            f"10.{chance.randrange(4)}.0.{chance.randrange(250)} - {user} "
            f'[07/Jul/2022:07:42:{chance.randrange(60):02} +0000] "{chance.choice(REQUESTS)}" '
            f"{chance.choice((200, 200, 304, 404, 502))} {chance.randrange(99999)} "
            f'"-" "{chance.choice(AGENTS)}" "-"\n'
        ).encode()


def damaged(chance, line):
    """Return a line torn, cut, with a quote or a line feed put in, or doubled."""
    place = chance.randrange(len(line))
    return chance.choice(
        (
            line[:place] + b"\n",
            line[:place],
            line[place:],
            line[:place] + b'"' + line[place:],
            line[:place] + b"\n" + line[place:],
            line[:place] + b"\0" + line[place + 1 :],
            line + b"\n",
            line[:-1] + line,
        )
    )


def blocks(parts, size):
    """Cut text in blocks of whole lines, as readers do."""
    held = b""
    for part in parts:
        held += part
        end = held.rfind(b"\n") + 1
        if end > size:
            yield held[:end]
            held = held[end:]
    yield held + b"\n"


def agree(parts):
    counter = Counter(
        compile_log("main", ignore_user_agents=("kube-probe/",)),
        lambda remote, _: remote,
        lambda _: (NGINX, False),
    )
    read = 0
    for block in blocks(parts, 100_000):
        counts = counter.count(block, LogCounts())
        ours = (
            counts.read,
            counts.other,
            counts.ignored,
            len(counts.probes),
            {c.source: [h.requests, h.failures, h.bytes] for c, h in counts.clients.items()},
        )
        assert ours == plain_counter.count(block, "main")
        read += counts.read
    return read


@pytest.mark.parametrize("seed", range(4))
def test_generated_lines(seed):
    assert agree(lines(random.Random(seed), 250_000)) >= 250_000


@pytest.mark.parametrize("share", [0.02, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_damaged_lines(seed, share):
    chance = random.Random(seed)
    made = lines(chance, 125_000)
    torn = (damaged(chance, line) if chance.random() < share else line for line in made)
    assert agree(torn) > 100_000
