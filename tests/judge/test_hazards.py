from dataclasses import replace
from ipaddress import ip_network

import pytest

from exporter.judge.claims import overlapping_clusters
from exporter.judge.hazards import hazards
from exporter.model.clusterset import Profile
from exporter.model.verdicts import Hazard, Policy
from tests.fakes.nouns import NGINX, inventory


def found(where, *, pinned=True):
    service = where.services[NGINX]
    return hazards(where, service, overlapping_clusters(where), pinned=pinned)


def with_karmada(where):
    service = replace(where.services[NGINX], karmada_endpoints=("b",))
    return replace(where, services={NGINX: service})


def claiming(where, cluster, **networks):
    made = {name: tuple(map(ip_network, texts)) for name, texts in networks.items()}
    changed = replace(where.clusters[cluster], **made)
    return replace(where, clusters=where.clusters | {cluster: changed})


@pytest.mark.parametrize(
    ("where", "hazard"),
    [
        pytest.param(inventory(), None, id="none"),
        pytest.param(with_karmada(inventory()), Hazard.KARMADA_ENDPOINTS, id="karmada"),
        pytest.param(
            with_karmada(inventory(ready="bc", exported="bc")),
            None,
            id="karmada, not exported here",
        ),
        pytest.param(
            with_karmada(inventory(version=(0, 15, 3))),
            None,
            id="karmada, and a Lighthouse that reads no slices",
        ),
        pytest.param(inventory(connected="acd", answered="abcd"), Hazard.STALE_GATEWAY, id="stale"),
        pytest.param(
            inventory(connected="ab", answered="abcd"), None, id="stale, but exports nothing"
        ),
        pytest.param(inventory(connected="acd"), None, id="not connected, and Lighthouse knows"),
        pytest.param(inventory(headless=True), Hazard.HEADLESS_NO_LOCAL, id="headless"),
        pytest.param(
            inventory(headless=True, ready="bc", exported="bc"), None, id="headless elsewhere"
        ),
        pytest.param(
            inventory(version=(0, 12, 2)), Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN, id="0.12.2"
        ),
        pytest.param(inventory(version=(0, 12, 3)), None, id="0.12.3"),
        pytest.param(
            inventory(version=(0, 13, 1)), Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN, id="0.13.1"
        ),
        pytest.param(inventory(version=(0, 13, 2)), None, id="0.13.2"),
        pytest.param(inventory(ready="a", exported="a"), Hazard.SINGLE_CLUSTER, id="only one"),
        pytest.param(inventory(profile=Profile.CILIUM), Hazard.NO_PINNED_NAMES, id="cilium"),
        pytest.param(
            with_karmada(inventory(profile=Profile.CILIUM)),
            Hazard.NO_PINNED_NAMES,
            id="karmada, and no Lighthouse",
        ),
        pytest.param(
            claiming(inventory(), "b", pod_cidrs=["10.1.128.0/17"]),
            Hazard.OVERLAPPING_CIDRS,
            id="a prefix within another one",
        ),
        pytest.param(
            claiming(inventory(), "c", pod_cidrs=["10.4.0.0/16"]), None, id="c and d, not of it"
        ),
        pytest.param(
            claiming(
                claiming(inventory(), "a", global_cidrs=["242.0.0.0/16"]),
                "b",
                pod_cidrs=["10.1.0.0/16"],
                global_cidrs=["242.1.0.0/16"],
            ),
            None,
            id="the same pods under Globalnet",
        ),
    ],
)
def test_hazards(where, hazard):
    assert found(where) == ({hazard} if hazard else set())


def test_a_log_without_host_cannot_tell_pinned_requests_from_leaks():
    def hosted(where, policy=Policy.LOCAL):
        service = where.services[NGINX]
        return hazards(where, service, frozenset(), pinned=True, policy=policy, hostless=True)

    assert hosted(inventory()) == {Hazard.NO_HOST_IN_LOG}
    assert hosted(inventory(), Policy.SPREAD) == set()
    assert hosted(inventory(ready="a", exported="a")) == {Hazard.SINGLE_CLUSTER}


def test_without_pinned_probes_no_standby_is_put_to_the_test():
    assert found(inventory(), pinned=False) == {Hazard.NO_PINNED_NAMES}
