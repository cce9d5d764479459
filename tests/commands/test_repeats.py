"""No cause fills a log: what is written, what is left out, and that both are counted."""

import logging
import sys
from errno import ENOSPC

import pytest
import structlog

from exporter.commands.run.log_output import log_to_stderr
from exporter.commands.run.repeats import MAX_KEPT, MOST, WINDOW, Repeats


class Written:
    """A log, and the clock that its events are written by."""

    def __init__(self):
        self.now, self.lines = 1000.0, []
        self.repeats = Repeats(lambda: self.now)

    def say(self, event, **words):
        try:
            self.lines.append(self.repeats(None, "info", {"event": event, **words}))
        except structlog.DropEvent:
            return

    def counted(self):
        """Return how many events are written or counted as left out."""
        more = sum(each.get("left_out", 0) + each.get("others_left_out", 0) for each in self.lines)
        return len(self.lines) + more


def test_an_event_about_the_same_thing_is_written_once_in_a_window_and_the_others_are_counted():
    log = Written()
    for n in range(1000):
        log.say("log cannot be read", error="a.log: gone", seconds=n)
    assert log.lines == [{"event": "log cannot be read", "error": "a.log: gone", "seconds": 0}]
    log.now += WINDOW
    log.say("log cannot be read", error="a.log: gone")
    assert log.lines[1:] == [
        {"event": "log cannot be read", "error": "a.log: gone", "left_out": 999}
    ]
    log.now += WINDOW
    log.say("log cannot be read", error="a.log: gone")
    assert "left_out" not in log.lines[-1]


def test_other_things_and_other_kinds_are_written_beside_it():
    log = Written()
    for service in ("shop/a", "shop/b"):
        log.say("service mode changed", service=service, mode="local")
    log.say("inventory changed", service="shop/a")
    assert len(log.lines) == 3


def test_churn_of_500_services_is_a_line_a_second_and_little_memory():
    log, said = Written(), 0
    for _ in range(100):
        for n in range(500):
            log.say("inventory changed", service=f"shop/{n}")
            said += 1
        log.now += 3.0
    assert len(log.lines) <= 300 / WINDOW * MOST + MOST
    for _ in range(2):
        log.now += WINDOW
        log.say("inventory changed", service="shop/last")
        said += 1
    log.repeats._forget(log.now + WINDOW)
    log.say("inventory changed", service="shop/very-last")
    assert log.counted() == said + 1


def test_things_without_end_take_bounded_memory():
    log = Written()
    for n in range(200_000):
        log.say("discovery found a problem", about=str(n))
        log.now += 0.1
    assert len(log.repeats._written) <= MAX_KEPT + 1
    assert len(log.repeats._left) <= MAX_KEPT + 1


@pytest.fixture
def log_output():
    """Let a test set up the log, and undo that."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def begin():
        # Those of pytest are added for each phase of a test.
        root.handlers = []
        log_to_stderr("info", "logfmt")

    yield begin
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


def test_an_event_with_a_traceback_is_one_line(log_output, capsys):
    log_output()
    try:
        sys.exit("odd")
    except SystemExit as error:
        found = ValueError("a\nb")
        found.__cause__ = error
    structlog.get_logger().error("stage failed", stage="leaks", exc_info=found)
    (line,) = capsys.readouterr().err.splitlines()
    assert 'event="stage failed" stage=leaks exception="' in line
    assert "ValueError: a" in line


def test_what_libraries_say_is_bounded_too(log_output, capsys):
    log_output()
    for _ in range(100):
        logging.getLogger("asyncio").error("accept failed\nsocket: %s", "x")
    (line,) = capsys.readouterr().err.splitlines()
    assert 'event="library reported a problem" library=asyncio error="accept failed"' in line


def test_a_full_disk_behind_standard_error_stops_nobody(log_output, capsys, monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(ENOSPC, "No space left on device")

        def flush(self):
            self.write("")

    monkeypatch.setattr("sys.stderr", Full())
    log_output()
    structlog.get_logger().error("stage failed")
    monkeypatch.undo()
    assert capsys.readouterr().err == ""
