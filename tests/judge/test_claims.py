"""Who claims an address: attribution, hazards, findings, `check` and the static file agree."""

from dataclasses import dataclass
from ipaddress import ip_network

import pytest
import yaml

from exporter.config.yaml_reader import SettingsError
from exporter.discover.clusters import overlap_findings
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.judge.claims import conflicts, overlapping_clusters
from exporter.judge.explain import explain
from exporter.judge.hazards import hazards
from exporter.model.clusterset import EXTERNAL, UNKNOWN, Inventory
from exporter.model.verdicts import HAZARD_MEANS, Hazard, Policy
from tests.fakes.nouns import NGINX, inventory, probe


@dataclass(frozen=True)
class Case:
    """Networks of clusters a (local) and b, and what each reader should make of them."""

    a: dict[str, list[str]]
    b: dict[str, list[str]]
    sources: dict[str, str]
    """A client address, and the cluster that it belongs to."""
    overlap: bool = False
    """There is a finding, a hazard, and a line in `check`."""
    conflict: bool = False
    """Clients cannot be attributed, as cluster a sees it."""
    refused: str = ""
    """What the error of a static inventory says; empty where the file is accepted."""
    text: str = ""
    """What the finding says."""


NEITHER = "is claimed by clusters a and b; a prefix belongs to one "
CASES = {
    "apart": Case(
        {"pod_cidrs": ["10.1.0.0/16"]},
        {"pod_cidrs": ["10.2.0.0/16"]},
        {"10.1.0.1": "a", "10.2.0.1": "b", "10.3.0.1": EXTERNAL},
    ),
    "a longer prefix of another cluster": Case(
        {"pod_cidrs": ["10.1.0.0/16"]},
        {"pod_cidrs": ["10.1.4.0/24"]},
        {"10.1.4.1": "b", "10.1.5.1": "a"},
        overlap=True,
        text="clients in 10.1.4.0/24 belong to b",
    ),
    "the same prefix": Case(
        {"pod_cidrs": ["10.1.0.0/16"]},
        {"pod_cidrs": ["10.1.0.0/16"]},
        {"10.1.0.1": UNKNOWN},
        overlap=True,
        conflict=True,
        refused=NEITHER,
        text="clients there belong to neither",
    ),
    "the same service network": Case(
        {"pod_cidrs": ["10.1.0.0/16"], "service_cidrs": ["100.1.0.0/16"]},
        {"pod_cidrs": ["10.2.0.0/16"], "service_cidrs": ["100.1.0.0/16"]},
        {"10.1.0.1": "a", "10.2.0.1": "b", "100.1.0.1": EXTERNAL},
        overlap=True,
        text="no clients come from there, but Submariner does not connect such clusters",
    ),
    "services where the other's pods are": Case(
        {"pod_cidrs": ["10.1.0.0/16"], "service_cidrs": ["10.2.4.0/24"]},
        {"pod_cidrs": ["10.2.0.0/16"]},
        {"10.2.4.1": "b"},
        overlap=True,
        text="clients in 10.2.4.0/24 belong to b",
    ),
    "the same prefix for one's services and the other's pods": Case(
        {"pod_cidrs": ["10.1.0.0/16"], "service_cidrs": ["10.2.0.0/16"]},
        {"pod_cidrs": ["10.2.0.0/16"]},
        {"10.2.0.1": "b"},
        overlap=True,
        text="clients in 10.2.0.0/16 belong to b",
    ),
    "the same pods with Globalnet": Case(
        {"pod_cidrs": ["10.0.0.0/8"], "global_cidrs": ["242.0.0.0/16"]},
        {"pod_cidrs": ["10.0.0.0/8"], "global_cidrs": ["242.1.0.0/16"]},
        {"10.0.0.1": "a", "242.1.0.1": "b", "242.0.0.1": "a"},
    ),
    "the same services with Globalnet": Case(
        {"service_cidrs": ["100.1.0.0/16"], "global_cidrs": ["242.0.0.0/16"]},
        {"service_cidrs": ["100.1.0.0/16"], "global_cidrs": ["242.1.0.0/16"]},
        {"242.1.0.1": "b", "100.1.0.1": EXTERNAL},
    ),
    "the same global prefix": Case(
        {"global_cidrs": ["242.0.0.0/16"]},
        {"global_cidrs": ["242.0.0.0/16"]},
        {"242.0.0.1": UNKNOWN},
        overlap=True,
        conflict=True,
        refused=NEITHER,
        text="clients there belong to neither",
    ),
    "Globalnet in the local cluster only": Case(
        {"pod_cidrs": ["10.0.0.0/8"], "global_cidrs": ["242.0.0.0/16"]},
        {"pod_cidrs": ["10.0.0.0/8"]},
        {"10.0.0.1": UNKNOWN, "242.0.0.1": "a"},
        overlap=True,
        conflict=True,
        refused=NEITHER,
        text="clients there belong to neither",
    ),
    # Cluster a tells the two apart. Cluster b does not, and the file is the same in both.
    "Globalnet in the remote cluster only": Case(
        {"pod_cidrs": ["10.0.0.0/8"]},
        {"pod_cidrs": ["10.0.0.0/8"], "global_cidrs": ["242.0.0.0/16"]},
        {"10.0.0.1": "a", "242.0.0.1": "b"},
        refused=NEITHER,
    ),
    "a node where the other's pods are": Case(
        {"pod_cidrs": ["10.1.0.0/16"], "node_addresses": ["10.2.0.7"]},
        {"pod_cidrs": ["10.2.0.0/16"]},
        {"10.2.0.7": "a", "10.2.0.8": "b"},
    ),
    "a node at the other's only pod address": Case(
        {"node_addresses": ["10.2.0.7"]},
        {"pod_cidrs": ["10.2.0.7/32"]},
        {"10.2.0.7": UNKNOWN},
        overlap=True,
        conflict=True,
        refused=NEITHER,
        text="clients there belong to neither",
    ),
    "Submariner's tunnels": Case(
        {"pod_cidrs": ["240.0.0.0/8"]},
        {"pod_cidrs": ["10.2.0.0/16"]},
        {"240.0.0.1": UNKNOWN, "241.0.0.1": "vtep"},
        overlap=True,
        conflict=True,
        refused="240.0.0.0/8 belongs to Submariner's tunnels",
        text="clients there belong to neither",
    ),
    "the same prefix of IPv6": Case(
        {"pod_cidrs": ["fd00::/64", "10.1.0.0/16"]},
        {"pod_cidrs": ["fd00::/64", "10.2.0.0/16"]},
        {"fd00::1": UNKNOWN, "10.2.0.1": "b"},
        overlap=True,
        conflict=True,
        refused=NEITHER,
        text="clients there belong to neither",
    ),
}


def written(case, folder):
    """Return the static inventory file of *case*."""
    clusters = [{"id": name, **networks} for name, networks in (("a", case.a), ("b", case.b))]
    path = folder / "inventory.yaml"
    path.write_text(yaml.safe_dump({"clusters": clusters}))
    return path


def seen(case) -> Inventory:
    """Return the inventory of *case* as cluster a sees it."""
    where = inventory()
    clusters = {
        name: type(where.clusters[name])(
            id=name,
            **{
                key: tuple(ip_network(text) for text in texts)
                if key.endswith("cidrs")
                else tuple(ip_network(text).network_address for text in texts)
                for key, texts in networks.items()
            },
        )
        for name, networks in (("a", case.a), ("b", case.b))
    }
    return Inventory(local="a", clusters=clusters, services=where.services)


def explained(where):
    """Return what `check` says about overlaps."""
    report = explain(
        where,
        where.services[NGINX],
        Policy.LOCAL,
        plain={"10.96.0.10:53": probe(0.0, by="a")},
        pinned=[],
        logs={},
        domain="clusterset.local",
    )
    return [each.text for each in report.findings if each.about == Hazard.OVERLAPPING_CIDRS]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_all_readers_agree(case, tmp_path):
    where = seen(case)
    attribution = Attribution(where)
    assert {text: attribution.source(text) for text in case.sources} == case.sources
    assert attribution.conflicts == conflicts(where)
    assert bool(attribution.conflicts) is case.conflict
    findings = [each.text for each in overlap_findings(where)]
    assert bool(findings) is case.overlap
    assert all(text.endswith(case.text) for text in findings)
    found = hazards(where, where.services[NGINX], overlapping_clusters(where), pinned=True)
    assert (Hazard.OVERLAPPING_CIDRS in found) is case.overlap
    means = [HAZARD_MEANS[Hazard.OVERLAPPING_CIDRS]]
    assert explained(where) == (means if case.overlap else [])
    path = written(case, tmp_path)
    if case.refused:
        with pytest.raises(SettingsError, match=case.refused):
            read_inventory(path, "a")
    else:
        assert Attribution(read_inventory(path, "a")).conflicts == {}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_conflict_is_always_refused_in_a_file(case):
    assert not (case.conflict and not case.refused)


def test_a_conflict_of_three_clusters_names_all_of_them(tmp_path):
    clusters = [{"id": name, "pod_cidrs": ["10.1.0.0/16"]} for name in "abc"]
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump({"clusters": clusters}))
    with pytest.raises(SettingsError, match="claimed by clusters a and b and c"):
        read_inventory(path, "a")
