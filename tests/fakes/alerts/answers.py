"""Cases of dashboards/alerts_answers.py."""

from tests.fakes.alerts.case import EAST, ME, NO_SERVICE, Case, exporter, mode


def lookups(failing, kind="client"):
    labels = f'{{{EAST},vantage="resolver",lookup="{kind}"}}'
    return {
        f"clusterset_dns_lookups_failed_total{labels}": failing,
        f"clusterset_dns_lookups_total{labels}": "0+100x40",
    }


CASES = [
    Case(
        alert="ClustersetServiceDegraded",
        series=mode("degraded", "0 1x20"),
        not_yet=5,
        fires=7,
        labels={"mode": "degraded"},
        says="Some clients in east get no reply from shop/cart, because DNS leads them to a "
        "cluster that does not reply.",
        must_not=mode("degraded", "0x20") | mode("mixed", "1x20"),
    ),
    Case(
        alert="ClustersetServiceMixed",
        series=mode("mixed", "0 1x30"),
        not_yet=10,
        fires=12,
        labels={"mode": "mixed"},
        says="Clients in east get shop/cart from their own cluster and from another one in turns, "
        "though only one is right.",
        must_not=mode("mixed", "1x6 0x20") | mode("failover", "1x30"),
    ),
    Case(
        alert="ClustersetLookupsFailing",
        series=lookups("0+3x40"),
        not_yet=9,
        fires=20,
        labels={"vantage": "resolver", "lookup": "client"},
        says="3% of the look-ups of shop/cart that are made as clients in east make them get no "
        "address.",
        # One failure in two hundred is below the limit, and lone questions have other alerts.
        must_not=lookups("0+0.5x40") | lookups("0+50x40", "a"),
    ),
    Case(
        alert="ClustersetResolversDisagree",
        series=exporter("findings", "0 1x20", ',kind="resolvers_disagree"'),
        not_yet=10,
        fires=12,
        labels={**ME, "kind": "resolvers_disagree"},
        gone=NO_SERVICE,
        says="The name servers that the exporter 10.1.0.9:9877 uses lead to different "
        "clusters (services concerned: 1).",
        must_not=exporter("findings", "0x20", ',kind="resolvers_disagree"'),
    ),
    Case(
        alert="ClustersetNameServerStuck",
        series=exporter("findings", "0 1x20", ',kind="stuck_name_server"'),
        not_yet=5,
        fires=7,
        labels={**ME, "kind": "stuck_name_server"},
        gone=NO_SERVICE,
        says="The clusterset's name server that the exporter 10.1.0.9:9877 asks keeps "
        "naming wrong clusters, though nothing changes (replicas concerned: 1).",
        must_not=exporter("findings", "0x20", ',kind="stuck_name_server"')
        | exporter("findings", "1x20", ',kind="stale_gateway"'),
    ),
]
