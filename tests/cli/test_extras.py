"""What needs an extra says so where the extra is missing, and nothing else needs one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.fakes.files import CONFIG, line, write
from tests.web.test_auth import USERS

ROOT = Path(__file__).parents[2]
EXTRAS = {"nginx": "crossplane", "passwords": "bcrypt", "kubeconfig": "kubernetes"}
WITHOUT = f"""
import sys
for name in {list(EXTRAS.values())}:
    sys.modules[name] = None
from exporter.cli.main import main
main()
"""
"""The command, where no extra is installed."""


def without_extras(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_files_are_read_and_configured_without_any(tmp_path):
    write(tmp_path)
    (tmp_path / "a.log").write_text(line("10.1.0.1"))
    code, out, error = without_extras(tmp_path, "config", "check", "--config.file", "config.yaml")
    assert (code, error) == (0, ""), error
    arguments = ("--inventory", "inventory.yaml", "--cluster", "east", "--format", "main", "a.log")
    code, out, error = without_extras(tmp_path, "analyze", "--json", *arguments)
    assert (code, error) == (0, ""), error
    assert '"requests": 1' in out


def test_an_nginx_configuration_needs_crossplane(tmp_path):
    (tmp_path / "nginx.conf").write_text("events {}\n")
    write(tmp_path, config=CONFIG.replace("format: main", "format: {nginx_conf: nginx.conf}"))
    for command in ("config", "check"), ("run",):
        code, _, error = without_extras(tmp_path, *command, "--config.file", "config.yaml")
        assert code == 2
        assert "pip install 'clusterset-exporter[nginx]'" in error
        assert error.count("\n") == 1


def test_passwords_need_bcrypt_and_are_not_left_out(tmp_path):
    write(tmp_path)
    (tmp_path / "web.yaml").write_text(USERS)
    arguments = ("--config.file", "config.yaml", "--web.config.file", "web.yaml")
    code, _, error = without_extras(tmp_path, "run", *arguments)
    assert code == 2
    assert "basic_auth_users: checking passwords needs the package bcrypt" in error
    assert "pip install 'clusterset-exporter[passwords]'" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("extra", "package"), EXTRAS.items())
def test_extras_have_their_names(extra, package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.match(r"[\w-]+", each)[0] for each in project["optional-dependencies"][extra]]
    assert names == [package]
    assert not [each for each in project["dependencies"] if each.startswith(package)]


@pytest.mark.parametrize("package", ["crossplane", "bcrypt"])
@pytest.mark.parametrize("lock", ["run", "demo", "dev"])
def test_lock_files_have_all_that_the_image_installs(lock, package):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert re.search(rf"^{package}==", text, re.MULTILINE)
