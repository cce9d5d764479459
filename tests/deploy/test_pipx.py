"""The wheel, installed by pipx for a user who has nothing of this checkout."""

import asyncio
import os
import subprocess
import sys

import aiohttp
import pytest

from exporter import __version__
from tests.fakes.charts import ROOT
from tests.fakes.process import Exporter

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(600)]
UNREACHABLE = ("Failed to establish a new connection", "Could not find a version", "dns error")
INVENTORY = "clusters: [{id: east, pod_cidrs: [10.1.0.0/16]}]\nservices: []\n"
CONFIG = 'cluster: east\ninventory: {static: inventory.yaml}\nprobe: {resolvers: ["127.0.0.1:9"]}\n'


def run(*command, **environment):
    """Return what a command prints; skip the test if there is no index of packages to ask."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment, cwd="/"
    )
    if done.returncode and any(each in done.stderr for each in UNREACHABLE):
        pytest.skip("no index of packages can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the command that pipx installs."""
    folder = tmp_path_factory.mktemp("pipx")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    uv, tool = f"{sys.prefix}/bin/uv", str(folder / "tool")
    run(uv, "venv", "--quiet", "--python", sys.executable, tool)
    run(uv, "pip", "install", "--quiet", "--python", tool, "pipx")
    places = {"PIPX_HOME": str(folder / "home"), "PIPX_BIN_DIR": str(folder / "bin")}
    run(f"{tool}/bin/pipx", "install", "--python", sys.executable, str(wheel), **places)
    return folder / "bin" / "clusterset-exporter"


def test_it_says_its_version(installed):
    said = run(installed, "--version", PYTHONPATH="")
    assert said == f"clusterset-exporter, version {__version__}\n"


async def test_it_runs_and_is_scraped(installed, tmp_path):
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config.yaml").write_text(CONFIG)
    config = ("--config.file", str(tmp_path / "config.yaml"))
    process = await asyncio.create_subprocess_exec(
        *(str(installed), "run", *config, "--web.listen-address", "127.0.0.1:0"),
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        stderr=asyncio.subprocess.PIPE,
    )
    async with aiohttp.ClientSession() as session:
        exporter = Exporter(process, session)
        try:
            await exporter.started()
            assert await exporter.value("clusterset_exporter_build_info", version=__version__) == 1
            process.terminate()
            assert await exporter.end() == 0
        finally:
            if process.returncode is None:
                process.kill()
