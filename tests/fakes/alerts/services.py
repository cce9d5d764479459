"""Cases of dashboards/alerts_services.py."""

from tests.fakes.alerts.case import BOTH, EAST, WORLD, Case, mode


def leaking(series, **samples):
    """Return requests of east that went to west, by locality."""
    return {
        f'clusterset_{series}_total{{{BOTH},locality="{locality}"}}': each
        for locality, each in samples.items()
    }


CASES = [
    Case(
        alert="ClustersetServiceBlackout",
        series=mode("blackout", "0 1x20"),
        not_yet=2,
        fires=4,
        labels={"mode": "blackout"},
        severity="critical",
        says="Nobody serves shop/cart to clients in east.",
        must_not=mode("blackout", "0 1 0 1 0 1") | mode("unknown", "1x20"),
    ),
    Case(
        alert="ClustersetServiceFailover",
        series=mode("failover", "0 1x20"),
        not_yet=5,
        fires=7,
        labels={"mode": "failover"},
        says="Clients in east get shop/cart from another cluster, though east exports it.",
        must_not=mode("failover", "0x20") | mode("remote", "1x20"),
    ),
    Case(
        alert="ClustersetFailoverFlapping",
        series={f"clusterset_service_moves_total{{{EAST}}}": "0 0 1 2 3 4 5"},
        not_yet=5,
        fires=6,
        says="shop/cart moved between clusters 5 times within 30m for clients in east.",
        # One move an hour is none too many, however many there were before.
        must_not={
            f"clusterset_service_moves_total{{{EAST}}}": "90 90 90 91x9",
            f'clusterset_failover_duration_seconds_count{{{EAST},stage="served"}}': "90 90 90 91x9",
        },
    ),
    Case(
        alert="ClustersetFailoverSlow",
        series={
            f'clusterset_failover_last_duration_seconds{{{EAST},stage="served"}}': "_ 1 45x20",
            f"clusterset_failover_last_timestamp_seconds{{{EAST}}}": "_ 30 115x20",
        },
        not_yet=1,
        fires=2,
        says="It took 45s until clients in east were served shop/cart again by another cluster.",
        must_not={
            f'clusterset_failover_last_duration_seconds{{{EAST},stage="served"}}': "29x20",
            f"clusterset_failover_last_timestamp_seconds{{{EAST}}}": "115x20",
        },
    ),
    Case(
        alert="ClustersetCrossClusterLeakage",
        series=leaking("requests", leak="0+60x40"),
        not_yet=14,
        fires=17,
        labels={**WORLD, "locality": "leak"},
        says="Clients in east make 1 requests per second for shop/cart to west, though it is ready "
        "in east.",
        must_not=leaking("requests", failover="0+600x40", spread="0+600x40", leak="0+5x40"),
    ),
    Case(
        alert="ClustersetGatewayLeakage",
        series=leaking("upstream_requests", leak="0+60x40"),
        not_yet=14,
        fires=17,
        labels={**WORLD, "locality": "leak"},
        says="Gateways in east send 1 requests per second for shop/cart to west, though it is "
        "ready in east.",
        # What clients do by themselves is another alert's.
        must_not=leaking("upstream_requests", failover="0+600x40", pinned="0+600x40", leak="0+5x40")
        | leaking("requests", leak="0+60x40"),
    ),
]
