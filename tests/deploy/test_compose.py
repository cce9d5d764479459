"""The compose file: read as docker compose reads it, and its parts fit together."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from tests.fakes.charts import ROOT

pytestmark = pytest.mark.slow
FOLDER = ROOT / "deploy" / "compose"
CLUSTERS = ("east", "west")


@pytest.fixture(scope="module")
def project():
    """Return the file as docker compose reads it, with all references resolved."""
    build = ROOT / "tests" / "deploy" / "compose" / "build"
    found = subprocess.run([build, "--find"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("no reader of compose files; tests/deploy/compose/build makes it")
    done = subprocess.run(
        [found.stdout.strip(), FOLDER / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_that_is_mounted_is_there(project):
    mounted = [
        each["source"]
        for service in project["services"].values()
        for each in service.get("volumes", ())
        if each["type"] == "bind"
    ]
    assert mounted
    assert [path for path in mounted if not Path(path).exists()] == []


def test_the_image_is_that_of_this_version_and_pages_are_for_this_machine_alone(project):
    for cluster in CLUSTERS:
        exporter = project["services"][f"exporter-{cluster}"]
        assert exporter["image"] == f"clusterset-exporter:{__version__}"
        assert exporter["environment"] == {"CLUSTER_NAME": cluster}
        assert exporter["read_only"]
        assert exporter["cap_drop"] == ["ALL"]
    published = [p for each in project["services"].values() for p in each.get("ports", ())]
    assert {each["host_ip"] for each in published} == {"127.0.0.1"}


def address(project, service):
    return project["services"][service]["networks"]["clusterset"]["ipv4_address"]


def test_the_inventory_and_the_zones_name_the_containers(project):
    text = (FOLDER / "clusterset" / "inventory.yaml").read_text()
    (service,) = yaml.safe_load(text)["services"]
    for export in service["exports"]:
        cluster = export["cluster"]
        serves = address(project, f"nginx-{cluster}")
        assert export["addresses"] == [serves]
        zone = (FOLDER / "clusterset" / f"{cluster}.zone").read_text()
        assert f"\nnginx.nginx-test.svc 5 IN A {serves}\n" in zone
        assert f"\n{cluster}.nginx.nginx-test.svc 5 IN A {serves}\n" in zone
        for part in ("exporter", "client"):
            servers = project["services"][f"{part}-{cluster}"]["dns"]
            assert servers == [address(project, f"dns-{cluster}")]


@pytest.mark.parametrize("cluster", CLUSTERS)
async def test_the_configuration_is_without_a_warning(cluster):
    config = FOLDER / "clusterset" / "config.yaml"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "config", "check", "--config.file", str(config)),
        env=os.environ | {"CLUSTER_NAME": cluster},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    (line,) = out.decode().splitlines()
    assert f"OK: cluster {cluster} (1 of 2), services: 1, log sources: 1" in line
    assert process.returncode == 0


def test_nginx_and_the_exporter_know_one_format():
    config = yaml.safe_load((FOLDER / "clusterset" / "config.yaml").read_text())
    text = (FOLDER / "clusterset" / "nginx.conf").read_text()
    parts = re.findall(r"'([^']*)'", text.partition("log_format")[2].partition(";")[0])
    assert "".join(parts) == config["logs"][0]["format"]


def test_a_failover_and_the_way_back(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "compose")
    data = tmp_path / "compose" / "clusterset"

    def fail(what):
        script = tmp_path / "compose" / "failover"
        return subprocess.run([script, what], capture_output=True, text=True, check=False)

    def state():
        (service,) = yaml.safe_load((data / "inventory.yaml").read_text())["services"]
        ready = [each["ready"] for each in service["exports"]]
        zones = [(data / f"{each}.zone").read_text() for each in CLUSTERS]
        plain = [re.search(r"^nginx\..* A (.*)$", each, re.MULTILINE)[1] for each in zones]
        return ready, plain

    before = state()
    assert before == ([True, True], ["172.30.1.10", "172.30.2.10"])
    assert fail("east").returncode == 0
    assert state() == ([False, True], ["172.30.2.10", "172.30.2.10"])
    assert fail("west").returncode == 0
    assert state() == ([True, False], ["172.30.1.10", "172.30.1.10"])
    assert fail("back").returncode == 0
    assert state() == before
    assert "hostmaster 1 " not in (data / "east.zone").read_text()
    assert fail("north").returncode == 2
