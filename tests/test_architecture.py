"""The import contract of docs/architecture.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "exporter"
STAGES = {"discover", "probe", "accesslog", "judge", "expose"}
# Beside model.py and its own folder: what each room may import of ours.
MAY = {
    "model": set(),
    "yamlfile": set(),
    "scalars": {"model"},
    "probesettings": {"model", "scalars", "yamlfile"},
    "settings": {"model", "scalars", "yamlfile", "probesettings", "discover"},
    "shard": {"model"},
    "loading": {"model", "settings", "probesettings", "yamlfile", "discover", "probe", "accesslog"},
    "tables": set(),
    "prober": {"model", "loading", "probe"},
    "check": {"model", "yamlfile", "loading", "targets", "prober"}
    | {"discover", "probe", "accesslog", "judge", "expose"},
    "diagnose": {"model", "loading", "discover", "judge", "apiserver"},
    "checkcluster": {"model", "yamlfile", "settings", "loading", "check", "diagnose", "incluster"}
    | {"discover", "judge", "apiserver"},
    "targets": {"model", "loading", "probesettings", "probe"},
    "probing": {"model", "loading", "targets", "prober", "probe"},
    "apiserver": {"model"},
    "discover": {"model", "yamlfile", "apiserver"},
    "probe": {"model"},
    "accesslog": {"model", "apiserver"},
    "judge": {"model"},
    "expose": {"model", "yamlfile"},
    "demo": {"model", "discover", "probe"},
    "analyze": {"model", "yamlfile", "discover", "accesslog", "judge"},
    "flow": {"model", "settings", "probesettings", "accesslog", "judge", "probe", "expose"},
    "reading": {"model", "loading", "flow", "accesslog"},
    "workloads": {"model", "loading", "flow", "discover", "accesslog", "apiserver"},
    "podreading": {"loading", "flow", "reading", "workloads"}
    | {"accesslog", "expose", "apiserver"},
    "nodereading": {"model", "loading", "flow", "reading", "workloads", "accesslog"},
    "incluster": {"model", "yamlfile", "settings", "loading", "flow", "reading", "podreading"}
    | {"nodereading", "workloads", "shard", "discover", "apiserver"},
    "daemon": {"model", "settings", "yamlfile", "loading", "probing", "flow", "reading"}
    | {"incluster", "shard", "apiserver"}
    | STAGES,
    "__main__": {
        "model",
        "shard",
        "daemon",
        "probe",
        "loading",
        "settings",
        "yamlfile",
        "analyze",
        "check",
        "checkcluster",
        "tables",
        "scalars",
        "accesslog",
        "demo",
    },
    "__init__": set(),
}
PURE = [
    "model",
    "judge",
    "probe.dns",
    "probe.dnsname",
    "probe.certificate",
    "probe.origin",
    "accesslog.format",
    "accesslog.count",
    "accesslog.wrap",
    "accesslog.lines",
    "accesslog.pods",
    "discover.clusters",
    "discover.fields",
    "discover.findings",
    "discover.gateways",
    "discover.identity",
    "discover.kept",
    "discover.objects",
    "discover.resources",
    "discover.selection",
    "discover.services",
    "discover.trimming",
    "discover.tunnels",
]
IMPURE_MODULES = {"asyncio", "os", "socket", "time", "logging", "structlog", "random", "threading"}


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__") or "__init__", path


def imports(path):
    """Yield each module that a file imports, as far as the name tells."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms(path):
    for name in imports(path):
        if name.startswith("exporter."):
            room = name.split(".")[1]
            if room.isidentifier() and ((ROOT / room).is_dir() or (ROOT / f"{room}.py").exists()):
                yield room


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_each_room_knows_only_what_it_may(name, path):
    room = name.split(".")[0]
    assert set(rooms(path)) - {room} <= MAY[room]


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_only_each_other_and_the_standard_library(name):
    path = ROOT / name.replace(".", "/")
    for file in sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]:
        for imported in imports(file):
            top = imported.split(".")[0]
            assert top == "exporter" or top in sys.stdlib_module_names, f"{file}: {imported}"
            assert top not in IMPURE_MODULES, f"{file}: {imported}"


def test_only_expose_knows_the_text_format():
    for name, path in modules():
        if name.startswith(("expose", "flow", "demo")):
            continue
        assert not any(each.startswith("prometheus_client") for each in imports(path)), name


def test_only_main_knows_the_command_line():
    for name, path in modules():
        assert name == "__main__" or "click" not in set(imports(path)), name


def test_only_the_reader_of_kubeconfigs_imports_the_official_client():
    for name, path in modules():
        imported = {each.split(".")[0] for each in imports(path)}
        assert name == "apiserver.kubeconfig" or "kubernetes" not in imported, name


def test_the_official_client_is_not_loaded_by_what_speaks_to_an_api_server():
    names = [name for name, _ in modules() if name.startswith("apiserver.")]
    loaded = "; ".join(f"import exporter.{name}" for name in names)
    code = f"import sys; {loaded}; sys.exit('kubernetes' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_only_who_asks_an_api_server_speaks_http_by_aiohttp():
    for name, path in modules():
        rooms_of_aiohttp = ("apiserver", "demo")
        assert name.startswith(rooms_of_aiohttp) or "aiohttp" not in set(imports(path)), name


def test_folders_say_what_they_are_and_hold_no_code():
    for path in ROOT.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert isinstance(body[0], ast.Expr), path
        assert path.parent == ROOT or len(body) == 1, path


BOARDS = ROOT.parent / "dashboards"
# Besides the standard library: what the boards may be made of.
MADE_OF = {"dashboards", "exporter.model", "grafanalib", "yaml"}


def test_the_exporter_knows_nothing_of_its_boards():
    for name, path in modules():
        assert not {"dashboards", "grafanalib"} & {each.split(".")[0] for each in imports(path)}, (
            name
        )


@pytest.mark.parametrize("path", sorted(BOARDS.glob("*.py")), ids=lambda path: path.stem)
def test_boards_are_made_of_the_nouns_alone(path):
    for name in imports(path):
        top = name.split(".")[0]
        of_ours = any(name == each or name.startswith(f"{each}.") for each in MADE_OF)
        assert of_ours or top in sys.stdlib_module_names, f"{path}: {name}"


def test_only_the_bridge_knows_grafanalib():
    for path in BOARDS.glob("*.py"):
        knows = any(name.startswith("grafanalib") for name in imports(path))
        assert knows == (path.stem == "bridge"), path


def test_an_exporter_that_is_only_scraped_loads_no_more_than_that_takes():
    """Each of these is held for as long as the process lives."""
    code = (
        "import sys; from click.testing import CliRunner; from exporter.__main__ import cli; "
        "done = CliRunner().invoke(cli, ['run', '--config.file', '/gone']); "
        "assert 'exporter.daemon' in sys.modules, done.output; "
        "sys.exit(', '.join({'rich', 'jinja2', 'bcrypt', 'aiohttp'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, timeout=30, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
