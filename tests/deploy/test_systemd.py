"""The systemd unit: how far it opens, and that the exporter works in what it leaves open."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.fakes.charts import ROOT
from tests.fakes.process import Exporter
from tests.fakes.tools import need

pytestmark = [pytest.mark.slow, pytest.mark.system]
FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "clusterset-exporter.service"
MOST = 2.0
LINE = '10.1.0.7 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl/7" "-"\n'
# One of those that DynamicUser gives out, and the group that may read logs here.
USER, GROUP = 61234, 61235


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_its_exposure_is_small():
    command = [need("systemd-analyze"), "security", "--offline=yes", "--no-pager", UNIT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (found,) = re.findall(r"Overall exposure level.*: ([\d.]+)", done.stdout)
    assert float(found) < MOST, done.stdout


def test_a_wrong_configuration_is_no_reason_to_start_again():
    assert setting("Restart") == ["on-failure"]
    assert setting("RestartPreventExitStatus") == ["2"]


@pytest.fixture
def installed(tmp_path):
    """Return the files of the unit, as the page has them laid, and the paths that it names."""
    for folder in ("etc", "state", "log"):
        (tmp_path / folder).mkdir()
    for name in ("config.yaml", "inventory.yaml"):
        shutil.copy(FOLDER / name, tmp_path / "etc" / name)
    config = yaml.safe_load((tmp_path / "etc" / "config.yaml").read_text())
    assert config["state_directory"] == f"/var/lib/{setting('StateDirectory')[0]}"
    config["state_directory"] = str(tmp_path / "state")
    config["logs"][0]["files"] = [str(tmp_path / "log" / "access.log")]
    config["probe"] = {"resolvers": ["127.0.0.1:9"], "timeout": "200ms"}
    (tmp_path / "etc" / "config.yaml").write_text(yaml.safe_dump(config))
    log = tmp_path / "log" / "access.log"
    log.write_text("")
    # As nginx leaves it on Debian: for its group alone.
    os.chown(log, 0, GROUP)
    log.chmod(0o640)
    os.chown(tmp_path / "state", USER, USER)
    (tmp_path / "state").chmod(int(setting("StateDirectoryMode")[0], 8))
    for path in (tmp_path, tmp_path / "etc", tmp_path / "log"):
        path.chmod(0o755)
    for path in tmp_path.parents:
        # pytest keeps its folders to itself.
        if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/pytest"):
            path.chmod(0o755)
    return tmp_path


def as_the_unit_does(folder, python):
    """Return the command of the unit, without rights and with nothing in the environment."""
    (command,) = setting("ExecStart")
    program, *words = command.split()
    assert program == "/opt/clusterset-exporter/bin/clusterset-exporter"
    words = [each.replace("/etc/clusterset-exporter", str(folder / "etc")) for each in words]
    limits = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
    who = (f"--reuid={USER}", f"--regid={USER}", f"--groups={GROUP}")
    listen = ("--web.listen-address", "127.0.0.1:0")
    return [need("setpriv"), *who, *limits, python, "-m", "exporter", *words, *listen]


def readable(*places):
    """Return whether a user without rights can read *places*."""
    return all(
        path.stat().st_mode & 0o005 == 0o005
        for place in map(Path.resolve, map(Path, places))
        for path in (place, *place.parents)
    )


def python():
    """Return a Python that everybody may run; without one skip the test, and say so."""
    system = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    packages = sysconfig.get_path("purelib")
    for each in (Path(sys.executable), system):
        if each.exists() and readable(each, packages, ROOT):
            return str(each), f"{ROOT}:{packages}"
    pytest.skip("this checkout or its Python is for root alone")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_it_runs_reloads_and_ends_as_a_user_without_rights(installed):
    program, path = python()
    process = await asyncio.create_subprocess_exec(
        *as_the_unit_does(installed, program),
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        umask=int(setting("UMask")[0], 8),
        stderr=asyncio.subprocess.PIPE,
    )
    async with aiohttp.ClientSession() as session:
        exporter = Exporter(process, session)
        try:
            await exporter.started()
            with (installed / "log" / "access.log").open("a") as log:
                log.write(LINE)
            await exporter.until_value(1, "clusterset_requests_total", source_cluster="east")
            process.send_signal(signal.SIGHUP)

            async def reloaded():
                return any('event="configuration reloaded"' in each for each in exporter.lines)

            await exporter.until(reloaded)
            process.send_signal(signal.SIGTERM)
            assert await exporter.end() == 0
        finally:
            if process.returncode is None:
                process.kill()
    left = sorted(path for path in (installed / "state").rglob("*") if path.is_file())
    assert left
    assert {path.stat().st_mode & 0o077 for path in left} == {0}


def allowed():
    """Return the system calls that the unit's filter lets through."""

    def named(group):
        command = [need("systemd-analyze"), "syscall-filter", group]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        words = [line.strip() for line in text.splitlines()[1:]]
        found = set()
        for word in words:
            found |= named(word) if word.startswith("@") else {word}
        return {each for each in found if each and not each.startswith("#")}

    first, second = setting("SystemCallFilter")
    assert second.startswith("~")
    return named(first) - set().union(*(named(each) for each in second[1:].split()))


def child_of(pid):
    """Return the process that *pid* has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def test_it_makes_no_system_call_that_the_filter_refuses(installed):
    """A call that is refused gets EPERM; here none is made, from the start to the end."""
    trace = installed / "trace"
    config = str(installed / "etc" / "config.yaml")
    strace = [need("strace"), "--follow-forks", "--quiet=all", "--output", str(trace)]
    command = [sys.executable, "-m", "exporter", "run", "--config.file", config]
    process = await asyncio.create_subprocess_exec(
        *(*strace, *command, "--web.listen-address", "127.0.0.1:0"),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with aiohttp.ClientSession() as session:
        exporter = Exporter(process, session)
        try:
            await exporter.started()
            assert (await exporter.get("/metrics"))[0] == 200
            os.kill(child_of(process.pid), signal.SIGTERM)
            assert await exporter.end() == 0
        finally:
            if process.returncode is None:
                process.kill()
    made = set(re.findall(r"^\d+ +([a-z]\w*)\(", trace.read_text(), re.MULTILINE))
    assert len(made) > 20
    assert made - allowed() == set()
