"""Cases of dashboards/alerts_promises.py."""

from tests.fakes.alerts.case import BOTH, EAST, GLOBAL, JOB, SERVICE, WORLD, Case


def rule(name, broken, checked="0+60x60"):
    labels = f'{{{EAST},rule="{name}"}}'
    return {
        f"clusterset_rule_violations_total{labels}": broken,
        f"clusterset_rule_checks_total{labels}": checked,
    }


def ready(*seen):
    """Return what each source sees of each destination."""
    return {
        f'clusterset_service_ready{{source_cluster="{source}",destination_cluster="{destination}",'
        f"{SERVICE}}}": samples
        for source, destination, samples in seen
    }


def certificate(ends):
    """Return a certificate of west that ends at this moment; the first sample is at 0."""
    return {f"clusterset_probe_certificate_expiry_timestamp_seconds{{{BOTH}}}": f"_ {ends}x30"}


CASES = [
    Case(
        alert="ClustersetStandbyMissing",
        series={
            f"clusterset_service_standby_clusters{{{EAST}}}": "1 0x30",
            **{
                f'clusterset_service_ready{{{EAST},destination_cluster="{each}"}}': "1x30"
                for each in ("east", "west")
            },
        },
        not_yet=12,
        fires=14,
        says="If the cluster that serves shop/cart to clients in east stopped, no other would "
        "answer, though others export it.",
        # A service of one cluster has no standby by design.
        must_not={
            f"clusterset_service_standby_clusters{{{EAST}}}": "0x30",
            f'clusterset_service_ready{{{EAST},destination_cluster="east"}}': "1x30",
        },
    ),
    Case(
        alert="ClustersetServiceNotRedundant",
        series=ready(("east", "east", "1x30"), ("east", "west", "1 0x30")),
        not_yet=10,
        fires=12,
        gone=GLOBAL,
        says="shop/cart is ready in only one of the clusters that export it.",
        must_not=ready(("east", "east", "1x30"), ("west", "east", "1x30")),
    ),
    Case(
        alert="ClustersetViewDisagreement",
        series=ready(("east", "west", "1x30"), ("west", "west", "1 0x30")),
        not_yet=10,
        fires=12,
        labels=WORLD,
        gone=GLOBAL,
        says="Some clusters see shop/cart as ready in west, and others do not.",
        must_not=ready(("east", "west", "0x30"), ("west", "west", "0x30")),
    ),
    Case(
        alert="ClustersetPinnedNameBroken",
        series=rule("pins", "0 0 0+60x30", "0+60x32"),
        not_yet=10,
        fires=17,
        labels={"rule": "pins"},
        says="100% of the probes from east that asked by name for shop/cart in one chosen cluster "
        "did not reach that cluster.",
        must_not=rule("pins", "0+6x30") | rule("reachable", "0+60x30"),
    ),
    Case(
        alert="ClustersetSpreadBroken",
        series=rule("spreads", "0 0 0 1x30", "0+60x33"),
        not_yet=2,
        fires=4,
        labels={"rule": "spreads"},
        says="DNS leads clients in east to some of the clusters that could serve shop/cart far "
        "more often than to others.",
        must_not=rule("spreads", "0x30"),
    ),
    Case(
        alert="ClustersetPromiseBroken",
        series=rule("local_first", "0 0 0+60x30", "0+60x32"),
        not_yet=10,
        fires=17,
        labels={"rule": "local_first"},
        says="100% of the probes of shop/cart from east find that the promise local_first is "
        "broken.",
        must_not=rule("local_first", "0+6x30") | rule("pins", "0+60x30"),
    ),
    Case(
        alert="ClustersetServiceExportConflict",
        series={
            f'clusterset_service_export_condition{{{JOB},destination_cluster="west",{SERVICE},'
            'type="Conflict"}': "0 1x20"
        },
        not_yet=5,
        fires=7,
        labels={**WORLD, "type": "Conflict"},
        gone=frozenset({"source_cluster"}),
        says="The export of shop/cart by west contradicts that of another cluster.",
        must_not={
            f'clusterset_service_export_condition{{{JOB},destination_cluster="west",{SERVICE},'
            'type="Valid"}': "1x20"
        },
    ),
    Case(
        alert="ClustersetServiceHazard",
        series={f'clusterset_service_hazard{{{EAST},hazard="karmada_endpoints"}}': "_ 1x30"},
        not_yet=15,
        fires=17,
        labels={"hazard": "karmada_endpoints"},
        says="shop/cart, as east sees it, has the hazard karmada_endpoints, which is known to "
        "break failover or locality.",
        must_not={
            f'clusterset_service_hazard{{{EAST},hazard="karmada_endpoints"}}': "0x30",
            f'clusterset_service_hazard{{{EAST},hazard="single_cluster"}}': "1x30",
        },
    ),
    Case(
        alert="ClustersetCertificateEnding",
        series=certificate(2 * 86400 + 17 * 60),
        not_yet=15,
        fires=17,
        labels=WORLD,
        gone=frozenset({"source_cluster"}),
        severity="critical",
        says="The certificate that west shows for shop/cart expires in 2d 0h 0m 0s.",
        must_not=certificate(20 * 86400),
    ),
    Case(
        alert="ClustersetCertificateEnding",
        series=certificate(10 * 86400 + 17 * 60),
        not_yet=15,
        fires=17,
        labels=WORLD,
        gone=frozenset({"source_cluster"}),
        says="The certificate that west shows for shop/cart expires in 10d 0h 0m 0s.",
        must_not=certificate(15 * 86400),
    ),
]
