"""What discovery is to find: HTTPRoutes and Ingresses only where a log needs them."""

import pytest

from exporter.commands.load import load
from exporter.commands.run.discovery_wanted import discovery_wanted

FORMAT = "format: '$remote_addr $status $host $upstream_addr'"


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ([], None),
        (["services: {a.example.com: shop/cart}"], None),
        (["service: {host: true}"], None),
        (["service: {route: true}"], set()),
        (["service: {route: true}, services: {A.example.com: shop/cart}"], {"a.example.com"}),
        # What one log is told is news for the other.
        (
            [
                "service: {route: true}, services: {a.example.com: a/b, b.example.com: a/b}",
                "service: {route: true}, services: {b.example.com: a/b}",
                "service: {host: true}",
            ],
            {"b.example.com"},
        ),
    ],
)
def test_hosts_that_the_configuration_tells(tmp_path, told, hosts):
    logs = ", ".join(f"{{files: [{n}.log], {FORMAT}, {each}}}" for n, each in enumerate(told))
    path = tmp_path / "config.yaml"
    path.write_text(f"inventory: {{kubernetes: {{events: true}}}}\nlogs: [{logs}]\n")
    wanted = discovery_wanted(load(path, "a"))
    assert (wanted.local, wanted.told_hosts) == ("a", hosts)
    assert not wanted.settings.events
