"""More cases of `alert_cases`: answers that differ, exporters that do, and objectives."""

from tests.fakes.alert_cases import BOTH, EAST, JOB, ME, NO_SERVICE, SERVICE, Case, exporter, mode


def lookups(failing, kind="client"):
    labels = f'{{{EAST},vantage="resolver",lookup="{kind}"}}'
    return {
        f"clusterset_dns_lookups_failed_total{labels}": failing,
        f"clusterset_dns_lookups_total{labels}": "0+100x40",
    }


def lines(other, access):
    return {
        f'clusterset_exporter_log_lines_total{{{JOB},log="nginx",outcome="{outcome}"}}': samples
        for outcome, samples in (("other", other), ("access", access))
    }


def leading(*replicas):
    """Return replicas of east: whether each leads."""
    made = {}
    for number, leads in enumerate(replicas):
        labels = f'job="clusterset-exporter",instance="10.1.0.{number}:9877"'
        made[f"clusterset_exporter_leader{{{labels}}}"] = leads
        made[f'clusterset_info{{{labels},source_cluster="east"}}'] = "1x30"
    return made


def requests(leaking, local="0+6000x400"):
    return {
        f'clusterset_requests_total{{{BOTH},locality="leak"}}': leaking,
        f'clusterset_requests_total{{{JOB},source_cluster="west",destination_cluster="west",'
        f'{SERVICE},locality="local"}}': local,
    }


SKEW = f'clusterset_clock_skew_seconds{{{JOB},source_cluster="east",destination_cluster="west"}}'
CASES = [
    Case(
        alert="ClustersetServiceDegraded",
        series=mode("degraded", "0 1x20"),
        not_yet=5,
        fires=7,
        labels={"mode": "degraded"},
        says="Clients in east are served shop/cart in part: one of the clusters that their answers "
        "name does not reply.",
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
        says="3% of the look-ups of shop/cart that ask as clients in east do get no address.",
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
        says="For 1 services, name servers of the system that 10.1.0.9:9877 asks name different "
        "clusters.",
        must_not=exporter("findings", "0x20", ',kind="resolvers_disagree"'),
    ),
    Case(
        alert="ClustersetClockSkew",
        series={SKEW: "0 -5x20"},
        not_yet=10,
        fires=12,
        labels={**ME, "destination_cluster": "west"},
        gone=NO_SERVICE - {"source_cluster"},
        says="The clocks of east and west differ by 5s.",
        must_not={SKEW: "1.5x20"},
    ),
    Case(
        alert="ClustersetExporterTwoLeaders",
        series=leading("1x30", "0 1x30"),
        not_yet=2,
        fires=4,
        gone=NO_SERVICE - {"source_cluster"} | {"job"},
        says="2 replicas in east lead, so requests and probes are counted more than once.",
        must_not=leading("1x30", "0x30"),
    ),
    Case(
        alert="ClustersetExporterInventoryStale",
        series=exporter("inventory_stale_since_timestamp_seconds", "60x30"),
        not_yet=11,
        fires=12,
        labels=ME,
        gone=NO_SERVICE,
        says="10.1.0.9:9877 has not seen changes of its cluster for 11m 0s.",
        must_not=exporter("inventory_stale_since_timestamp_seconds", "_x9 540x20"),
    ),
    Case(
        alert="ClustersetExporterLogFormatWrong",
        series=lines("0+90x40", "0+10x40"),
        not_yet=4,
        fires=20,
        labels={**ME, "log": "nginx"},
        gone=NO_SERVICE,
        says="90% of the lines of nginx that 10.1.0.9:9877 reads are no access lines.",
        # The notices of a server that starts are few.
        must_not=lines("0 20x40", "0x40"),
    ),
    Case(
        alert="ClustersetLocalityBudgetBurn",
        series=requests("0+1500x400"),
        not_yet=10,
        fires=60,
        gone=frozenset({"job", "instance", "source_cluster"}),
        says="20% of the requests for shop/cart crossed although their own cluster was ready.",
        # Over six hours it leaked, but it is over; or it leaks less than the budget allows.
        must_not=requests("0+1500x20 30000x400"),
    ),
]
