"""What a request of a probe says about itself."""

from ipaddress import ip_address

import pytest

from exporter.commands.load import load
from exporter.model.clusterset import ServiceName
from exporter.probe import client, targets
from exporter.probe.client import ProbeClient
from exporter.probe.identity import Forgery, IdentityChecker, ProbeIdentity
from tests.fakes.files import CONFIG, write
from tests.fakes.nouns import ADDRESSES, NGINX, inventory

KEY = "the first\n\n  the second \n"


def sent(folder, monkeypatch, address, where):
    """Return the User-Agent of a probe of cluster a to *address*."""
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(KEY)
    path = write(folder, config=CONFIG.replace("east", "a") + "probe_key_file: key\n")
    plan = load(path, None).probes
    assert plan.keys == (b"the first", b"the second")
    found = []
    monkeypatch.setattr(client.http, "get", lambda *_, user_agent, **__: found.append(user_agent()))
    target = next(targets.targets(where, plan))
    owner_of = where.services[NGINX].owner_of
    made = ProbeClient(plan, "a", lambda _, each: owner_of(each))
    made.get(ip_address(address), 80, target.request, target=target, within=1.0)
    return found[0]


@pytest.mark.parametrize(
    ("address", "ips", "believed"),
    [
        pytest.param(ADDRESSES["a"], (), "a", id="of the own cluster"),
        pytest.param(ADDRESSES["b"], (), "b", id="of another cluster"),
        pytest.param("192.0.2.1", (), "", id="of nobody"),
        pytest.param("243.1.0.1", ("243.1.0.1",), "ab", id="of the whole clusterset"),
    ],
)
def test_a_probe_is_believed_where_its_address_leads_to(
    address, ips, believed, tmp_path, monkeypatch
):
    where = inventory(clusterset_ips=ips)
    agent = sent(tmp_path / "a", monkeypatch, address, where)
    for cluster in "ab":
        now = int(agent.partition("id=")[2].partition("-")[0]) / 1000
        there = inventory(local=cluster, clusterset_ips=ips)
        # Each of the keys is enough to check with, if it is the one that signed.
        found = IdentityChecker([b"other", b"the first"]).read(agent, there, now=now)
        true = ProbeIdentity("a", ServiceName("nginx-test", "nginx"), verified=True)
        assert found == (true if cluster in believed else Forgery.DESTINATION)
