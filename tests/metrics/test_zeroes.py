"""Which series stand at 0 before anything happened, and how many that are."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from exporter.config.settings import LimitSettings
from exporter.metrics import families
from exporter.metrics.exposition import pieces
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import Cluster, Export, Inventory, Port, Service, ServiceName
from exporter.model.probes import Lookup, Vantage
from exporter.model.verdicts import Mode, Policy, Rule, ServiceView
from tests.fakes.nouns import probe

LOOKUPS = ((Vantage.RESOLVER, Lookup.A), (Vantage.RESOLVER, Lookup.CLIENT))
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
        metrics.show(
            ServiceView(
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
        )
    return store, metrics


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


def test_with_a_thousand_services_in_three_clusters_none_lacks_the_zeros_that_alerts_wait_for():
    inventory = of(3, 1000)
    store, _ = begun(inventory, logs=False)
    awaited = {
        families.OUTAGE: 1,
        families.MOVES: 1,
        families.PROBES_FAILED: 4,
        families.DNS_LOOKUPS_FAILED: len(LOOKUPS),
        families.RULE_VIOLATIONS: len(Rule),
    }
    for family, number in awaited.items():
        values = dict(store.series[family].items())
        assert len(values) == 1000 * number, family.name
        assert set(values.values()) == {0}
    assert len(store.series[families.SERVICE_MODE]) == 1000 * len(Mode)
    assert store.budget.dropped == 0


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
