"""Which series stand at 0 before anything happened, and how many that are."""

from collections import Counter
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.config.settings import LimitSettings
from exporter.metrics import families
from exporter.metrics.exposition import pieces
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import (
    Cluster,
    Endpoints,
    Export,
    Inventory,
    Port,
    Service,
    ServiceName,
)
from exporter.model.probes import Lookup, Question, Vantage
from exporter.model.traffic import Hits
from exporter.model.verdicts import Locality, Mode, Policy, ProbeVerdict, Rule, ServiceView
from tests.fakes.nouns import probe

LOOKUPS = ((Vantage.RESOLVER, Lookup.A), (Vantage.RESOLVER, Lookup.CLIENT))
ALL_LOOKUPS = (*LOOKUPS, (Vantage.LIGHTHOUSE, Lookup.A))
"""Those of the default settings in a cluster."""
LIMIT = LimitSettings().series


def of(clusters, services):
    """Return an inventory in which each cluster exports each service."""
    ids = [f"c{n}" for n in range(clusters)]
    exports = tuple(Export(cluster=each, addresses=(), ready=True) for each in ids)
    names = [ServiceName("shop", f"cart-{n}") for n in range(services)]
    return Inventory(
        local="c0",
        clusters={each: Cluster(id=each) for each in ids},
        services={
            name: Service(name=name, ports=(Port(name="http", port=80),), exports=exports)
            for name in names
        },
    )


def begun(inventory, *, logs=True, signed=False):
    store = SeriesStore(LIMIT)
    metrics = Metrics(store, "c0")
    metrics.configure(pinned=True, lookups=LOOKUPS, logs=logs, signed=signed)
    metrics.set_inventory(inventory, inventory.services.keys())
    for service in inventory.services.values():
        metrics.show(view(service))
    return store, metrics


def view(service):
    """Return the state of a service that the local cluster serves."""
    return ServiceView(
        service=service,
        policy=Policy.LOCAL,
        mode=Mode.LOCAL,
        since=None,
        serving="c0",
        expected=frozenset({"c0"}),
        standbys=frozenset(),
        hazards=frozenset(),
        pinned={},
        plain=None,
    )


def samples(store):
    text = "".join(pieces(store, openmetrics=False))
    for family in text_string_to_metric_families(text):
        yield from family.samples


def test_one_service_in_ten_clusters_is_less_than_200_samples():
    store, _ = begun(of(10, 1))
    of_it = [each for each in samples(store) if "destination_service_name" in each.labels]
    assert len(of_it) < 200


def test_no_reason_is_there_before_its_first_event():
    store, _ = begun(of(10, 1))
    assert [each for each in samples(store) if "reason" in each.labels] == []


def test_without_logs_there_are_no_zeros_of_requests():
    store, _ = begun(of(3, 1), logs=False)
    for family in (families.REQUESTS, families.RESPONSE_BYTES, families.PROBE_HITS):
        assert not store.series[family].items()


def test_hits_have_the_only_value_that_the_keys_allow():
    for signed in (True, False):
        store, _ = begun(of(3, 1), signed=signed)
        hits = {labels[-1] for labels, _ in store.series[families.PROBE_HITS].items()}
        assert hits == {str(signed).lower()}


AWAITED = {
    families.OUTAGE: 1,
    families.MOVES: 1,
    families.PROBES_FAILED: 4,
    families.DNS_LOOKUPS_FAILED: len(ALL_LOOKUPS),
    families.RULE_VIOLATIONS: len(Rule),
}
"""How many zeros that alerts wait for a service has."""
OF_LOGS = {families.REQUESTS: 7}
"""The same where logs are read, in three clusters: four of them are failovers and leaks."""


def thousand(*, logs, limit=LIMIT):
    """Return the store and the recorder of 1,000 services in three clusters."""
    store = SeriesStore(limit)
    metrics = Metrics(store, "c0")
    metrics.configure(pinned=True, lookups=ALL_LOOKUPS, logs=logs, signed=True)
    inventory = of(3, 1000)
    metrics.set_inventory(inventory, inventory.services.keys())
    return store, metrics, inventory


def one_round(metrics, service, *, logs):
    """Count what the first minutes bring for *service*: probes, its state, and some requests."""
    name, base = service.name, probe(1.0, by="b")
    kept = [(rule, True) for rule in Rule if rule not in {Rule.PINS, Rule.SPREADS}]
    for vantage, lookup in ALL_LOOKUPS[1:]:
        asked = replace(base, question=Question(name, None), vantage=vantage, lookup=lookup)
        metrics.looked_up(asked, "c0", None)
    asked = replace(base, question=Question(name, None))
    metrics.probed(asked, ProbeVerdict(destination="c0", checks=tuple(kept)))
    for export in service.exports:
        asked = replace(base, question=Question(name, export.cluster))
        verdict = ProbeVerdict(destination=export.cluster, checks=((Rule.PINS, True),))
        metrics.probed(asked, verdict)
    metrics.show(view(replace(service, endpoints=Endpoints(2, 0))))
    if logs:
        metrics.hit(name, "c0", Locality.LOCAL, Hits(requests=1, failures=0, bytes=1))
        metrics.hit(name, "external", Locality.EXTERNAL, Hits(requests=1, failures=0, bytes=1))
        for export in service.exports:
            cluster = export.cluster
            metrics.probe_hit(name, claimed=cluster, attributed=cluster, verified=True)


@pytest.mark.parametrize("logs", [False, True])
def test_of_a_thousand_services_in_three_clusters_none_lacks_the_zeros_that_alerts_wait_for(logs):
    store, _, inventory = thousand(logs=logs)
    for family, number in (AWAITED | (OF_LOGS if logs else {})).items():
        values = dict(store.series[family].items())
        where = [i for i, name in enumerate(family.labels) if name.startswith("destination_serv")]
        held = Counter(ServiceName(*(labels[i] for i in where)) for labels in values)
        assert held == dict.fromkeys(inventory.services, number), family.name
        assert set(values.values()) == {0}
    assert store.budget.dropped == 0


@pytest.mark.parametrize(("logs", "limit"), [(False, LIMIT), (True, 70_000)])
def test_zeros_leave_room_for_what_happens_to_a_thousand_services(logs, limit):
    store, metrics, inventory = thousand(logs=logs, limit=limit)
    for service in inventory.services.values():
        one_round(metrics, service, logs=logs)
    assert store.budget.dropped == 0
    assert len(store.series[families.SERVICE_MODE]) == 1000 * len(Mode)
    assert store.budget.used < limit * 0.999


def test_the_total_has_each_failure_once_whatever_its_reason():
    inventory = of(2, 1)
    store, metrics = begun(inventory)
    (name,) = inventory.services
    question = replace(probe(1.0).question, service=name)
    for at in (1.0, 2.0):
        metrics.looked_up(replace(probe(at), question=question), None, probe(at).answer.failure)
    total = store.series[families.DNS_LOOKUPS_FAILED].get(("c0", *name, "resolver", "a"))
    assert total == sum(value for _, value in store.series[families.DNS_LOOKUP_FAILURES].items())
    assert total == 2
