"""The command line on a system without epoll, such as macOS."""

import subprocess
import sys

import pytest

from tests.fakes.files import line, write

pytestmark = pytest.mark.slow
WITHOUT_EPOLL = (
    "import select; "
    "[delattr(select, name) for name in dir(select) if name.lower().startswith('epoll')]; "
    "from exporter.cli.main import main; main()"
)


def call(*arguments):
    """Run the command line in a process that never had select.epoll."""
    command = [sys.executable, "-c", WITHOUT_EPOLL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "command", ["run", "demo", "check", "drill", "analyze", "report", "config"]
)
def test_each_command_explains_itself(command):
    done = call(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_config_check(tmp_path):
    done = call("config", "check", "--config.file", write(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


def test_analyze(tmp_path):
    write(tmp_path)
    (tmp_path / "access.log").write_text(line("10.1.0.1"))
    inventory = ("--inventory", tmp_path / "inventory.yaml", "--cluster", "east")
    service = ("--service", "nginx-test/nginx", "--format", "main")
    done = call("analyze", *inventory, *service, tmp_path / "access.log")
    assert (done.returncode, done.stderr) == (0, "")


def test_check(tmp_path):
    done = call("check", "--config.file", write(tmp_path), "nginx-test/nginx")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "nginx-test/nginx is served to nobody in east."
