"""The contract of docs/architecture.md: layers, purity, sizes, and who knows which library."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exporter"
LAYERS = (
    {"model"},
    {"config"},
    {"files"},
    {"judge", "apiserver", "metrics"},
    {"discover", "probe", "accesslog", "web"},
    {"commands", "demo"},
    {"cli"},
    {"__main__"},
)
"""Rooms, lowest first. A room imports itself and rooms of lower layers; neighbours do not meet."""
PURE = ("model", "config", "judge", "probe.dns", "accesslog.formats", "accesslog.wrappers")
PURE_FUNCTIONS = {"socket", "socket.AF_INET", "socket.AF_INET6", "socket.inet_pton"}
"""Of an impure module, what only computes."""
IMPURE_MODULES = {"asyncio", "os", "socket", "time", "logging", "structlog", "random", "threading"}
LIBRARIES = {
    "prometheus_client": ("metrics", "demo"),
    "click": ("cli",),
    "rich": ("cli",),
    "kubernetes": ("apiserver.kubeconfig",),
    "aiohttp": ("web", "apiserver", "demo", "commands.report.prometheus"),
    "matplotlib": ("commands.report.plots",),
}
"""Which rooms or modules know a library; the others do not."""


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__") or "__init__", path


MODULES = dict(modules())


@cache
def parsed(path):
    return ast.parse(path.read_text())


@cache
def imports(path):
    """Return each module that a file imports, as far as the name tells."""
    names = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def layer_of(room):
    return next(n for n, rooms in enumerate(LAYERS) if room in rooms)


def is_in(name, places):
    return any(name == place or name.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"__init__"}))
def test_no_import_runs_backward(name):
    room = name.split(".")[0]
    known = {each.split(".")[1] for each in imports(MODULES[name]) if each.startswith("exporter.")}
    known -= {room, "__version__"}
    assert {each for each in known if layer_of(each) >= layer_of(room)} == set()


def test_nothing_lies_loose():
    assert {path.name for path in ROOT.iterdir() if path.is_file()} == {
        "__init__.py",
        "__main__.py",
        "py.typed",
    }


@pytest.mark.parametrize("name", [n for n in MODULES if is_in(n, PURE)])
def test_pure_modules_import_only_each_other_and_the_standard_library(name):
    imported_here = imports(MODULES[name])
    # Somebody who imports the module itself has the rest of it, too.
    allowed = PURE_FUNCTIONS if len(PURE_FUNCTIONS.intersection(imported_here)) > 1 else set()
    for imported in imported_here:
        top = imported.split(".")[0]
        known = {"exporter", "msgspec", "yaml"} | sys.stdlib_module_names
        assert top in known, imported
        assert top not in IMPURE_MODULES or imported in allowed, imported


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_known_in_its_rooms_only(library):
    known = {
        name
        for name, path in MODULES.items()
        if library in {i.split(".")[0] for i in imports(path)}
    }
    assert {name for name in known if not is_in(name, LIBRARIES[library])} == set()


def test_the_official_client_is_not_loaded_by_what_speaks_to_an_api_server():
    loaded = "; ".join(
        f"import exporter.{name}" for name in MODULES if name.startswith("apiserver.")
    )
    code = f"import sys; {loaded}; sys.exit('kubernetes' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_folders_say_what_they_are_and_hold_no_code():
    for path in ROOT.rglob("__init__.py"):
        body = parsed(path).body
        assert isinstance(body[0], ast.Expr), path
        assert path.parent == ROOT or len(body) == 1, path


MAX_MODULE, MAX_CLASS, MAX_FUNCTION = 300, 200, 40
TABLES = {"metrics.families"}
"""Tables of data: they may be longer, because they hold no function and no class."""


@pytest.mark.parametrize("name", sorted(MODULES))
def test_nothing_is_longer_than_one_can_read(name):
    text = MODULES[name].read_text()
    assert text.count("\n") <= MAX_MODULE or name in TABLES
    for node in ast.walk(parsed(MODULES[name])):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert name not in TABLES, node.name
            most = MAX_CLASS if isinstance(node, ast.ClassDef) else MAX_FUNCTION
            assert node.end_lineno - node.lineno + 1 <= most, node.name


ALERTS = sorted((ROOT.parent / "dashboards").glob("alerts*.py"))


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_each_alert_is_made_in_one_short_function(path):
    assert path.read_text().count("\n") <= MAX_MODULE
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= MAX_FUNCTION, node.name


BOARDS = ROOT.parent / "dashboards"
MADE_OF = {"dashboards", "exporter.model", "grafanalib", "yaml"}
"""Besides the standard library: what the boards may be made of."""


def test_the_exporter_knows_nothing_of_its_boards():
    for name, path in MODULES.items():
        tops = {each.split(".")[0] for each in imports(path)}
        assert not {"dashboards", "grafanalib"} & tops, name


@pytest.mark.parametrize("path", sorted(BOARDS.glob("*.py")), ids=lambda path: path.stem)
def test_boards_are_short_and_made_of_the_nouns_alone(path):
    assert path.read_text().count("\n") <= MAX_MODULE
    for name in imports(path):
        top = name.split(".")[0]
        assert is_in(name, MADE_OF) or top in sys.stdlib_module_names, f"{path}: {name}"


def test_only_the_bridge_knows_grafanalib():
    for path in BOARDS.glob("*.py"):
        knows = any(name.startswith("grafanalib") for name in imports(path))
        assert knows == (path.stem == "bridge"), path


CAMEL_CASE = re.compile("[A-Z][a-z0-9]+[A-Za-z0-9]*")
"""Classes and aliases. Constants are in capitals, type variables are one letter."""


def public_types(path):
    """Yield the public classes and type aliases that a file defines at its top level."""
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_a_class_or_an_alias_has_a_name_of_its_own():
    places = defaultdict(list)
    for module, path in MODULES.items():
        for name in public_types(path):
            if CAMEL_CASE.fullmatch(name):
                places[name].append(module)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
