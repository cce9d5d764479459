"""What the log says: each event says what happened, and lines stay structured."""

import ast
import json
import logging
import sys
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from structlog.testing import capture_logs

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.recovery import Recovery
from exporter.commands.run.log_output import log_to_stderr, no_log
from exporter.commands.run.problems import ProblemGroup
from exporter.commands.run.readiness import Readiness
from exporter.commands.run.renewals import LoggedSilence

ROOT = Path(__file__).parent.parent.parent / "exporter"
LEVELS = {"debug", "info", "warning", "error", "exception", "log"}
VERBS = {
    *("accepted", "became", "began", "cannot", "may", "changed", "claimed", "completed", "ended"),
    *("failed", "found", "identified", "is", "leaked", "passed", "paused", "read", "recovered"),
    *("rejected", "reloaded", "reported", "started", "stopping", "taken", "waits", "was", "were"),
    *("withheld", "dropped", "confirmed"),
}


def events():
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            named = isinstance(node.func.value, ast.Name) and node.func.value.id == "log"
            if named and node.func.attr in LEVELS and node.args:
                for each in ast.walk(node.args[0]):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield each.value, f"{path.name}:{node.lineno}"


def test_no_event_is_named_by_a_noun_alone():
    found = dict(events())
    assert len(found) > 30
    assert {name: at for name, at in found.items() if not VERBS & set(name.split())} == {}


@pytest.fixture
def configured():
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.unraisablehook, threading.excepthook
    yield
    sys.unraisablehook, threading.excepthook = hooks
    structlog.configure(**before)
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("configured")
def test_the_level_can_be_changed_while_the_process_runs(capsys):
    use_level, log = log_to_stderr("info", "json"), structlog.get_logger()
    for level in ("debug", "error", None):
        use_level(level)
        log.debug("a", level_now=str(level))
        log.info("b", level_now=str(level))
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    told = [(each["event"], each["level_now"]) for each in lines]
    assert told == [("a", "debug"), ("b", "debug"), ("b", "None")]
    no_log()
    log.error("c")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("configured")
def test_a_warning_of_python_is_a_log_event_too(capsys):
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers.clear()
    log_to_stderr("info", "json")
    warnings.showwarning("too old", UserWarning, "a.py", 1)
    told = json.loads(capsys.readouterr().err)
    assert (told["event"], told["library"]) == ("library reported a problem", "py.warnings")


class Broken:
    """Its end fails."""

    def __del__(self):
        msg = "no end"
        raise ValueError(msg)


@pytest.mark.usefixtures("configured")
def test_an_error_that_nobody_can_catch_is_a_log_event_too(capsys):
    log_to_stderr("info", "json")
    del_me = [Broken()]
    del_me.clear()
    thread = threading.Thread(target=int, args=("x",), name="reader")
    thread.start()
    thread.join()
    passed, ended = map(json.loads, capsys.readouterr().err.splitlines())
    assert (passed["event"], passed["error"]) == ("error was passed over", "ValueError('no end')")
    assert (ended["event"], ended["thread"]) == ("thread ended by an error", "reader")
    assert "Traceback" in ended["exception"]


async def test_a_lease_that_cannot_be_renewed_is_told_once_a_cause():
    silence, away = LoggedSilence(), ApiError(ErrorKind.UNREACHABLE, "PUT lease: refused")
    with capture_logs() as told:
        silence.answered(0.0)
        for error in (away, away, TimeoutError(), TimeoutError()):
            silence.failed(error)
        silence.answered(1.0)
        silence.answered(2.0)
    assert [each["event"] for each in told] == [
        *(["lease request failed"] * 2),
        "lease requests recovered",
    ]
    assert [each.get("error") for each in told[:2]] == [str(away), "no answer in time"]
    assert told[2]["seconds"] >= 0


async def test_an_api_server_that_is_away_is_told_once_and_back_with_its_duration():
    recovery = Recovery()
    with capture_logs() as told:
        for _ in range(2):
            with pytest.raises(ApiError), recovery.noticed("GET /x"):
                raise TimeoutError
        for _ in range(2):
            with recovery.noticed("GET /x"):
                pass
    assert [each["event"] for each in told] == [
        "API server request failed",
        "API server requests recovered",
    ]
    assert told[0]["error"].startswith("GET /x")
    assert told[1]["seconds"] >= 0


def test_why_it_is_not_ready_is_told_once_a_cause_that_lasts():
    reasons = iter(["a", "a", "b", "a", "a", None, None, "c", "c", None])
    readiness = Readiness(lambda: next(reasons))
    with capture_logs() as told:
        for _ in range(10):
            readiness.look()
    assert [(each["event"], each.get("reason")) for each in told] == [
        ("exporter is not ready", "a"),
        ("exporter became ready", None),
        ("exporter is not ready", "c"),
        ("exporter became ready", None),
    ]


def test_a_log_that_can_be_read_again_is_told_with_what_hindered():
    shown = []
    problems = SimpleNamespace(
        problem=lambda _, message: shown.append(message), solved=lambda _: shown.append("")
    )
    group = ProblemGroup(problems, "pod logs")
    with capture_logs() as logs:
        for message in ("shop/web: refused", "shop/web: refused", "", ""):
            group.set_message("web", message)
    assert shown == ["shop/web: refused", ""]
    events = [(each["event"], each.get("error") or each.get("before")) for each in logs]
    assert events == [
        ("log cannot be read", "shop/web: refused"),
        ("log can be read again", "shop/web: refused"),
    ]
