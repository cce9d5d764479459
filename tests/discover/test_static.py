import asyncio
import os
from ipaddress import ip_address, ip_network

import pytest

from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import StaticInventory, read_inventory
from exporter.model.clusterset import Port, Profile, ServiceName
from tests.fakes.files import INVENTORY

NGINX = ServiceName("nginx-test", "nginx")
DESIGN = """\
clusters:
  - id: east
    pod_cidrs: [10.1.0.0/16]
    service_cidrs: [100.1.0.0/16]
    node_addresses: [172.18.0.3]
  - {id: west, pod_cidrs: [10.2.0.0/16], global_cidrs: [], connected: true}
services:
  - namespace: nginx-test
    name: nginx
    ports: [{name: http, port: 8080}]
    exports:
      - {cluster: east, addresses: [100.1.0.10], ready: true}
      - {cluster: west, addresses: [100.2.0.10], ready: false}
"""


class Seen:
    """A watcher of a file, and what it said."""

    def __init__(self, path):
        self.taken, self.failures = [], []
        self.watcher = StaticInventory(
            path, "east", changed=self.taken.append, failed=self.failures.append
        )

    async def look(self, times=1):
        for _ in range(times):
            await self.watcher.look()


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "inventory.yaml"
    made.write_text(INVENTORY)
    return made


def test_the_documented_file(tmp_path):
    (tmp_path / "i.yaml").write_text(DESIGN)
    inventory = read_inventory(tmp_path / "i.yaml", "west")
    assert inventory.local == "west"
    east, west = inventory.clusters.values()
    assert east.pod_cidrs == (ip_network("10.1.0.0/16"),)
    assert east.node_addresses == (ip_address("172.18.0.3"),)
    assert (west.global_cidrs, west.connected) == ((), True)
    service = inventory.services[NGINX]
    assert service.ports == (Port(name="http", port=8080),)
    assert [(e.cluster, e.ready) for e in service.exports] == [("east", True), ("west", False)]


def test_globalnet_clusters_may_share_pod_addresses(tmp_path):
    text = DESIGN.replace(
        "10.2.0.0/16], global_cidrs: []", "10.1.0.0/16], global_cidrs: [242.1.0.0/16]"
    )
    (tmp_path / "i.yaml").write_text(text)
    with pytest.raises(SettingsError, match="claimed by clusters east and west"):
        read_inventory(tmp_path / "i.yaml", "east")
    text = text.replace("service_cidrs:", "global_cidrs: [242.0.0.0/16]\n    service_cidrs:")
    (tmp_path / "i.yaml").write_text(text)
    assert read_inventory(tmp_path / "i.yaml", "east").clusters["west"].global_cidrs


async def test_a_change_is_taken_and_the_same_file_is_not_read_again(path):
    seen = Seen(path)
    await seen.look(3)
    assert len(seen.taken) == 1
    path.write_text(INVENTORY.replace("ready: true}", "ready: false}"))
    await seen.look(3)
    assert len(seen.taken) == 2
    assert not any(export.ready for export in seen.taken[-1].services[NGINX].exports)


async def test_a_broken_version_is_told_once_and_a_good_one_taken(path):
    seen = Seen(path)
    await seen.look()
    path.write_text("clusters: 7\n")
    await seen.look(3)
    path.write_text("clusters: 8\n# other\n")
    await seen.look(3)
    assert len(seen.failures) == 2
    assert len(seen.taken) == 1
    path.write_text(INVENTORY)
    await seen.look()
    assert len(seen.taken) == 2


async def test_a_file_replaced_by_rename_is_never_missing(path):
    seen = Seen(path)
    await seen.look()
    for n in range(5):
        fresh = path.with_suffix(".new")
        fresh.write_text(INVENTORY + f"# {n}\n")
        fresh.rename(path)
        await seen.look()
    assert (len(seen.taken), seen.failures) == (6, [])


async def test_a_flipped_symlink_is_a_change(tmp_path, path):
    link, other = tmp_path / "link", tmp_path / "other.yaml"
    link.symlink_to(path)
    seen = Seen(link)
    await seen.look()
    other.write_text(INVENTORY)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    link.unlink()
    await seen.look()
    link.symlink_to(other)
    await seen.look()
    assert (len(seen.taken), seen.failures) == (2, [])


async def test_a_file_that_stays_away_is_told_once(path):
    seen = Seen(path)
    await seen.look()
    path.unlink()
    await seen.look(20)
    assert seen.failures == [f"{path}: is gone or cannot be looked at"]
    path.write_text(INVENTORY)
    await seen.look()
    assert len(seen.taken) == 2


async def test_watching_looks_at_each_tick(path):
    seen = Seen(path)

    async def ticks():
        for n in range(3):
            await asyncio.to_thread(path.write_text, INVENTORY + "#" * n)
            yield

    await seen.watcher.watch(ticks())
    assert len(seen.taken) == 3


def test_what_decides_the_answers_of_the_name_server(tmp_path):
    path = tmp_path / "inventory.yaml"
    text = DESIGN.replace("    name: nginx\n", "    name: nginx\n    clusterset_ips: [243.0.0.1]\n")
    path.write_text(text + "profile: submariner\nsubmariner_version: v0.19.1-rc2\n")
    made = read_inventory(path, "east")
    assert (made.profile, made.version) == (Profile.SUBMARINER, (0, 19, 1))
    assert made.services["nginx-test", "nginx"].clusterset_ips == (ip_address("243.0.0.1"),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("submariner_version: new", "'new' is no version; write for example 0.19.0"),
        ("profile: istio", "istio"),
    ],
)
def test_what_decides_it_and_is_wrong(tmp_path, line, told):
    path = tmp_path / "inventory.yaml"
    path.write_text(DESIGN + line)
    with pytest.raises(SettingsError, match=told):
        read_inventory(path, "east")
