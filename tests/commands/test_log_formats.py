"""A log whose lines do not fit its format is a problem on the page, with what would fit."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.line_reader import MAX_ODD, Lines
from exporter.commands.run.log_formats import WINDOW, LogFormats
from exporter.commands.run.problems import Problems
from exporter.model.clusterset import ServiceName

DATA = Path(__file__).parents[1] / "data" / "gateways"
CART = ServiceName("shop", "cart")
GOOD = b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl/8" "-"\n'
NOISE = b"/docker-entrypoint.sh: launching something or other, and telling about it\n"


class Watched:
    """A log whose lines are counted in format main."""

    def __init__(self, form="main", wrapper="none"):
        self.now = 1000.0
        self.problems = Problems(lambda: self.now, lambda _: None)
        self.formats = LogFormats(self.problems, lambda: self.now)
        counter = Counter(compile_log(form), lambda *_: "east", lambda _: (CART, False))
        self.lines = Lines(counter, wrapper)

    def count(self, *blocks):
        for block in blocks:
            self.formats.counted("a.log", self.lines.count("", block))

    def minute(self):
        self.now += WINDOW
        self.formats.look("a.log")

    @property
    def shown(self):
        return [
            each["message"] for each in self.problems.shown(()) if each["what"] == "lines of a.log"
        ]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("apache-common", "apache"),
        ("caddy", "caddy"),
        ("envoy", "envoy"),
        ("envoy-gateway", "envoy-gateway"),
        ("haproxy", "haproxy"),
        ("ingress-nginx", "ingress-nginx"),
        ("istio", "istio"),
        ("nginx-combined", "combined"),
        ("traefik", "traefik"),
        ("traefik-json", "traefik-json"),
    ],
)
def test_the_format_that_would_read_the_lines_is_named(name, form):
    watched = Watched()
    block = (DATA / f"{name}.log").read_bytes()
    watched.count(NOISE, block)
    assert watched.shown == []
    with capture_logs() as logs:
        watched.minute()
    number = block.count(b"\n")
    assert watched.shown[0].startswith(
        f"{number + 1} of {number + 1} lines are no access lines in the format here; "
        f"the format {form} reads "
    )
    (event,) = logs
    assert (event["event"], event["log_level"]) == (
        "log read in a format that does not fit",
        "warning",
    )
    assert (event["log"], event["fits"]) == ("a.log", form)


def test_half_of_the_lines_is_no_problem_and_one_more_is():
    other = (DATA / "haproxy.log").read_bytes().splitlines(keepends=True)[0]
    watched = Watched()
    watched.count((GOOD + other) * 30)
    watched.minute()
    assert watched.shown == []
    watched.count((GOOD + other) * 30 + other)
    watched.minute()
    (shown,) = watched.shown
    assert shown == (
        "31 of 61 lines are no access lines in the format here; the format haproxy reads 20 of 20 "
        "of them"
    )


def test_start_up_notices_are_no_wrong_format():
    watched = Watched()
    watched.count(NOISE * 50 + GOOD)
    watched.minute()
    watched.count(NOISE * 500)
    watched.minute()
    assert watched.shown == []


def test_lines_that_nothing_reads_are_a_problem_if_they_are_many_and_all():
    watched = Watched()
    watched.count(NOISE * 99)
    watched.minute()
    assert watched.shown == []
    watched.count(NOISE * 100)
    watched.minute()
    (shown,) = watched.shown
    assert shown == (
        "100 of 100 lines are no access lines in the format here, and no preset reads them; write "
        "the format as it stands in the server"
    )


def test_the_problem_ends_with_a_minute_of_lines_that_fit():
    watched = Watched()
    watched.count((DATA / "caddy.log").read_bytes())
    watched.minute()
    assert watched.shown
    watched.minute()
    assert watched.shown, "a silent log has not become right"
    watched.count(GOOD * 3)
    assert watched.shown
    watched.minute()
    assert watched.shown == []


def test_the_problem_ends_with_the_log():
    watched = Watched()
    watched.count(NOISE * 100)
    watched.minute()
    assert watched.shown
    watched.formats.gone("a.log")
    assert watched.shown == []


@pytest.mark.parametrize(
    ("wrapper", "around", "told"),
    [
        ("none", b"2022-07-07T07:42:11.1Z stdout F %s", "the format main with wrapper cri reads"),
        ("cri", b"%s", "the format main with wrapper none reads"),
        ("docker", b"2022-07-07T07:42:11.1Z stdout F %s", "the format main with wrapper cri"),
    ],
)
def test_a_wrong_wrapper_is_named(wrapper, around, told):
    watched = Watched(wrapper=wrapper)
    watched.count((around % GOOD) * 5)
    watched.minute()
    assert told in watched.shown[0]


def test_lines_too_short_for_the_format_are_tried_in_others():
    watched = Watched()
    watched.count(b'{"remote_addr":"10.1.0.1","status":200}\n' * 50)
    watched.minute()
    assert "the format json reads 20 of 20" in watched.shown[0]


def test_few_lines_are_kept_however_many_come():
    watched = Watched()
    for _ in range(20):
        watched.count(NOISE * 1000)
    (window,) = watched.formats._windows.values()
    assert len(window.odd) == MAX_ODD
    assert window.other == 20_000
    counts = watched.lines.count("", b"x" * 20_000 + b"\n")
    assert counts.odd == []
