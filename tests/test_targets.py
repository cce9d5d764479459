"""Which names are probed, and at which port."""

from dataclasses import replace

import pytest

from exporter.model import Port
from exporter.settings import InventorySettings, Settings
from exporter.targets import targets
from tests.fakes.nouns import NGINX, inventory

SETTINGS = Settings(inventory=InventorySettings(static="inventory.yaml"))


def changed(**words):
    where = inventory()
    return replace(where, services={NGINX: replace(where.services[NGINX], **words)})


def names(where):
    return [target.name for target in targets(where, SETTINGS)]


def test_the_plain_name_and_one_of_each_cluster_that_exports():
    assert names(inventory()) == [
        "nginx.nginx-test.svc.clusterset.local",
        "a.nginx.nginx-test.svc.clusterset.local",
        "b.nginx.nginx-test.svc.clusterset.local",
    ]


def test_a_service_that_asks_to_be_left_alone_is():
    assert names(changed(probed=False)) == []


@pytest.mark.parametrize(
    ("ports", "asked"),
    [
        ([("metrics", 9100), ("http", 8080)], 8080),
        ([("metrics", 9100), ("web", 8080)], 9100),
        ([("http", 8080), ("http", 8081)], 8080),
        ([], None),
    ],
)
def test_the_port_is_the_first_named_http_or_else_the_first(ports, asked):
    where = changed(ports=tuple(Port(name=name, port=port) for name, port in ports))
    assert {target.port for target in targets(where, SETTINGS)} == {asked}
