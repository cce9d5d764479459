"""The image: what is in it, and that it runs as it is run in a cluster."""

import asyncio
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from exporter import __version__
from tests.fakes.charts import helm
from tests.fakes.process import Exporter
from tests.image.conftest import ROOT

pytestmark = pytest.mark.timeout(600)
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
COMMAND = "/app/bin/clusterset-exporter"
INVENTORY = """\
clusters: [{id: east, pod_cidrs: [10.1.0.0/16]}, {id: west, pod_cidrs: [10.2.0.0/16]}]
services: []
"""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {resolvers: ["127.0.0.1:9"]}
"""


def test_it_says_its_version_on_a_root_it_cannot_write(inside):
    done = subprocess.run(inside(COMMAND, "--version"), capture_output=True, text=True, check=False)
    assert done.stdout == f"clusterset-exporter, version {__version__}\n", done.stderr
    code = "import os; print(os.getuid()); open('/app/x', 'w')"
    done = subprocess.run(
        inside("/usr/bin/python3", "-c", code), capture_output=True, text=True, check=False
    )
    assert done.stdout == "65532\n"
    assert "Read-only file system" in done.stderr


async def test_it_runs_is_scraped_and_ends_on_sigterm(inside, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config.yaml").write_text(CONFIG)
    listen = ("--web.listen-address", "127.0.0.1:0")
    arguments = (COMMAND, "run", "--config.file", "/mnt/config.yaml", *listen)
    process = await asyncio.create_subprocess_exec(
        *inside(*arguments, shown=tmp_path), stderr=asyncio.subprocess.PIPE
    )
    async with aiohttp.ClientSession() as session:
        exporter = Exporter(process, session)
        try:
            await exporter.started()
            assert await exporter.value("clusterset_exporter_build_info", version=__version__) == 1
            process.send_signal(signal.SIGTERM)
            assert await exporter.end() == 0
        finally:
            if process.returncode is None:
                process.kill()


WRITABLE = """
import os
found = [
    os.path.join(folder, name)
    for folder, folders, files in os.walk("/")
    if not folder.startswith("/dev")  # devices, which a runtime makes anew
    for name in (".", *folders, *files)
    if os.access(os.path.join(folder, name), os.W_OK)
]
print("\\n".join(sorted({os.path.normpath(each) for each in found})))
"""
ANYBODY = 1_000_000_000 + random.randrange(10_000) * 10_000
USERS = ("65532:65532", f"{ANYBODY}:0")
"""The user of the image, and one as OpenShift chooses them, without a name and a home."""


@pytest.mark.parametrize("user", USERS, ids=["own", "any"])
def test_nothing_can_be_written_but_the_state_directory(inside, tmp_path, user):
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, int(user.partition(":")[0]), -1)
    code = ("/usr/bin/python3", "-c", WRITABLE)
    done = subprocess.run(
        inside(*code, state=state, user=user), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["/srv"]


def resident(pid):
    """Return the bytes of memory that a process takes. The image has no /proc in this test."""
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) << 10


@pytest.mark.parametrize("user", USERS, ids=["own", "any"])
async def test_it_keeps_its_state_as_any_user(inside, tmp_path, user, capsys):
    shown, state = tmp_path / "shown", tmp_path / "state"
    for folder in (shown, state):
        folder.mkdir()
    tmp_path.chmod(0o755)
    os.chown(state, int(user.partition(":")[0]), -1)
    (shown / "inventory.yaml").write_text(INVENTORY)
    logs = 'logs: [{files: ["/mnt/a.log"], format: main, service: a/b}]\n'
    (shown / "config.yaml").write_text(f"{CONFIG}state_directory: /srv\n{logs}")
    (shown / "a.log").write_text("no access line\n")
    listen = ("--web.listen-address", "127.0.0.1:0")
    arguments = (COMMAND, "run", "--config.file", "/mnt/config.yaml", *listen)
    process = await asyncio.create_subprocess_exec(
        *inside(*arguments, shown=shown, state=state, user=user), stderr=asyncio.subprocess.PIPE
    )
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        exporter = Exporter(process, session)
        try:
            await exporter.started()
            took = time.monotonic() - began
            memory = resident(process.pid)
            process.send_signal(signal.SIGTERM)
            assert await exporter.end() == 0
        finally:
            if process.returncode is None:
                process.kill()
    assert list(state.iterdir())
    with capsys.disabled():
        print(f"\nas user {user}: ready after {took:.2f} s, {memory / 1e6:.1f} MB of memory")  # noqa: T201
    assert 0 < memory < 80e6


@pytest.fixture(scope="session")
def archive(store, image, tmp_path_factory):  # noqa: ARG001 - it is built by then
    """Return the archive of all files of the image."""
    path = tmp_path_factory.mktemp("archive") / "root.tar"
    store.export("localhost/exporter", path)
    return path


def test_no_file_in_it_gives_rights_or_can_be_changed(archive):
    command = [sys.executable, ROOT / "deploy" / "image" / "check.py", archive]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_its_bill_of_materials_has_the_packages_of_the_base_with_their_licences(archive):
    command = [sys.executable, ROOT / "deploy" / "sbom.py", archive]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": ROOT}
    )
    parts = {each["name"]: each for each in json.loads(done.stdout)["components"]}
    assert {"aiohttp", "bcrypt", "crossplane", "libc6", "libpython3.13-minimal"} <= parts.keys()
    assert parts["libc6"]["purl"].endswith(f"?arch={MACHINES[platform.machine()]}&distro=debian-13")
    assert {"license": {"name": "LGPL-2.1+"}} in parts["libc6"]["licenses"]


def test_its_python_is_that_of_its_base(inside):
    code = "import sys; print(sys.version_info[:2])"
    done = subprocess.run(
        inside("/usr/bin/python3", "-c", code), capture_output=True, text=True, check=True
    )
    assert done.stdout == "(3, 13)\n"


def test_there_is_nothing_in_it_to_build_or_install_with(image):
    programs = [path for folder in ("bin", "sbin") for path in (image / "usr" / folder).iterdir()]
    names = {path.name for path in (*programs, *(image / "app" / "bin").iterdir())}
    assert not names & {"gcc", "cc", "make", "apt", "apt-get", "dpkg", "pip", "pip3", "uv"}
    packages = {path.name for path in (image / "app").iterdir()}
    assert not packages & {"pip", "setuptools", "kubernetes", "pytest", "grafanalib", "tests"}
    assert {"exporter", "aiohttp"} <= packages


def test_it_is_small(image, capsys):
    size, whole = (
        sum(p.lstat().st_size for p in place.rglob("*") if p.is_file() and not p.is_symlink())
        for place in (image / "app", image)
    )
    with capsys.disabled():
        print(f"\nadded to the base: {size / 1e6:.1f} MB; with it: {whole / 1e6:.1f} MB")  # noqa: T201
    assert size < 45e6


def test_it_says_what_it_is(store):
    config = store.about("localhost/exporter")["OCIv1"]["config"]
    assert (config["User"], config["Entrypoint"]) == ("65532:65532", [COMMAND])
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert "Healthcheck" not in config


def test_the_same_sources_are_the_same_bytes(store, image):
    store.build("localhost/again", "--no-cache")
    again = store.mount("localhost/again") / "app"
    first = image / "app"
    files = sorted(path.relative_to(first) for path in first.rglob("*"))
    assert files == sorted(path.relative_to(again) for path in again.rglob("*"))
    for name in files:
        assert (first / name).stat().st_mtime == (again / name).stat().st_mtime == 0, name
        if (first / name).is_file():
            assert (first / name).read_bytes() == (again / name).read_bytes(), name


def test_make_image_takes_a_base_by_its_digest(store):
    (digest,) = store("images", "--digests", "--format", "{{.Digest}}", "localhost/final").split()
    base = f"localhost/final@{digest}"
    store.make("localhost/made", base)
    labels = store.about(f"localhost/made:{__version__}")["OCIv1"]["config"]["Labels"]
    assert labels["org.opencontainers.image.base.name"] == base
    assert labels["org.opencontainers.image.version"] == __version__


def test_make_release_checks_sums_and_says_that_nothing_is_signed(store, tmp_path):
    helm()
    (digest,) = store("images", "--digests", "--format", "{{.Digest}}", "localhost/final").split()
    done = store.release("localhost/released", f"localhost/final@{digest}", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "no setuid file, none that others may change, no tools" in done.stdout
    assert "nothing is signed, because COSIGN_KEY names no key" in done.stderr
    assert "is named by tag" not in done.stderr
    sums = (tmp_path / "SHA256SUMS").read_text()
    (bom,) = tmp_path.glob("*.cdx.json")
    assert bom.name in sums
    names = {each["name"] for each in json.loads(bom.read_text())["components"]}
    assert {"aiohttp", "libc6"} <= names


def test_arm64_is_built_without_running_any_of_it(store):
    """On a base that only says that it is of arm64: the last stage adds files to it."""
    arm64 = ("--platform", "linux/arm64")
    store.base("final-arm64", "final", *arm64)
    # Older buildahs do not say where they run once they are told what to build for.
    here = ("--build-arg", f"BUILDPLATFORM=linux/{MACHINES[platform.machine()]}")
    store.build("localhost/arm64", *arm64, *here, base="localhost/final-arm64")
    assert store.about("localhost/arm64")["OCIv1"]["architecture"] == "arm64"
    libraries = list((store.mount("localhost/arm64", *arm64) / "app").rglob("*.so"))
    assert libraries
    for path in libraries:
        with path.open("rb") as file:
            assert file.read(20)[18:] == b"\xb7\x00", path
