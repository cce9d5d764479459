"""
For each alert the series that make it fire, and those that must not, for promtool.

Samples come once a minute, in promtool's notation: `0+60x10` is 0, 60, 120 and so on, 10 steps.
"""

from dataclasses import dataclass, field

SERVICE = 'destination_service_namespace="shop",destination_service_name="cart"'
JOB = 'job="clusterset-exporter",instance="10.1.0.9:9877"'
EAST = f'{JOB},source_cluster="east",{SERVICE}'
PAIR = f'{JOB},source_cluster="east",destination_cluster="west"'
BOTH = f"{PAIR},{SERVICE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What promtool should find: minutes at which the alert does not fire yet, and does."""

    alert: str
    series: dict[str, str]
    not_yet: int
    fires: int
    says: str
    """The description of the alert that fires."""
    must_not: dict[str, str]
    """Series with which it does not fire, at the minute at which it would."""
    labels: dict[str, str] = field(default_factory=dict)
    """Labels of the alert besides its name and those of a service seen from a cluster."""
    severity: str = "warning"
    gone: frozenset[str] = frozenset()
    """Labels that the alert does not have."""


def mode(name, samples):
    return {f'clusterset_service_mode{{{EAST},mode="{name}"}}': samples}


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


def exporter(name, samples, labels=""):
    return {f"clusterset_exporter_{name}{{{JOB}{labels}}}": samples}


def requests(failing):
    labels = f'{JOB},source_cluster="west",destination_cluster="west",{SERVICE},locality="local"'
    return {
        f"clusterset_requests_total{{{labels}}}": "0+6000x400",
        f"clusterset_request_failures_total{{{labels}}}": failing,
    }


def certificate(ends):
    """Return a certificate of west that ends at this moment; the first sample is at 0."""
    return {f"clusterset_probe_certificate_expiry_timestamp_seconds{{{BOTH}}}": f"_ {ends}x30"}


ME = {"instance": "10.1.0.9:9877"}
NO_SERVICE = frozenset(
    {"source_cluster", "destination_service_namespace", "destination_service_name"}
)
GLOBAL = frozenset({"job", "source_cluster"})
WORLD = {"destination_cluster": "west"}

SERVICES = [
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
        says="shop/cart moved 5 times for clients in east within 30m.",
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
        series={f'clusterset_requests_total{{{BOTH},locality="leak"}}': "0+60x40"},
        not_yet=14,
        fires=17,
        labels={**WORLD, "locality": "leak"},
        says="1 requests per second for shop/cart from clients in east are served by west, "
        "though east is ready.",
        must_not={
            f'clusterset_requests_total{{{BOTH},locality="failover"}}': "0+600x40",
            f'clusterset_requests_total{{{BOTH},locality="spread"}}': "0+600x40",
            f'clusterset_requests_total{{{BOTH},locality="leak"}}': "0+5x40",
        },
    ),
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
        says="shop/cart is ready in a single cluster.",
        must_not=ready(("east", "east", "1x30"), ("west", "east", "1x30")),
    ),
    Case(
        alert="ClustersetViewDisagreement",
        series=ready(("east", "west", "1x30"), ("west", "west", "1 0x30")),
        not_yet=10,
        fires=12,
        labels=WORLD,
        gone=GLOBAL,
        says="Some clusters see shop/cart ready in west, some do not.",
        must_not=ready(("east", "west", "0x30"), ("west", "west", "0x30")),
    ),
    Case(
        alert="ClustersetPinnedNameBroken",
        series=rule("pins", "0 0 0+60x30", "0+60x32"),
        not_yet=10,
        fires=17,
        labels={"rule": "pins"},
        says="100% of the probes of shop/cart by pinned names from east did not reach the cluster "
        "asked for.",
        must_not=rule("pins", "0+6x30") | rule("reachable", "0+60x30"),
    ),
    Case(
        alert="ClustersetSpreadBroken",
        series=rule("spreads", "0 0 0 1x30", "0+60x33"),
        not_yet=2,
        fires=4,
        labels={"rule": "spreads"},
        says="Clients in east get shop/cart from some of the clusters that could serve far more "
        "often than from others.",
        must_not=rule("spreads", "0x30"),
    ),
    Case(
        alert="ClustersetPromiseBroken",
        series=rule("local_first", "0 0 0+60x30", "0+60x32"),
        not_yet=10,
        fires=17,
        labels={"rule": "local_first"},
        says="100% of the probes of shop/cart from east find the promise local_first broken.",
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
        says="The export of shop/cart by west is in conflict with that of another cluster.",
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
        says="shop/cart has the hazard karmada_endpoints.",
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
    Case(
        alert="ClustersetErrorBudgetBurn",
        series=requests("0x59 0+6000x60"),
        not_yet=60,
        fires=70,
        gone=GLOBAL,
        severity="critical",
        says="13.11% of the requests for shop/cart failed in the last 1h.",
        must_not=requests("0+6x400"),
    ),
    Case(
        alert="ClustersetErrorBudgetBurn",
        series=requests("0x59 0+60x300"),
        not_yet=60,
        fires=300,
        gone=GLOBAL,
        says="0.7987% of the requests for shop/cart failed in the last 6h.",
        must_not=requests("0+6x400"),
    ),
]

EXPORTERS = [
    Case(
        alert="ClustersetTunnelDown",
        series={f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1 0x20"},
        not_yet=3,
        fires=5,
        labels={"source_cluster": "east", **WORLD, "view": "strict"},
        gone=frozenset({"destination_service_namespace", "destination_service_name"}),
        severity="critical",
        says="east has no live tunnel to west: neither could take over for the other.",
        must_not={f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1x20"},
    ),
    Case(
        alert="ClustersetAttributionMismatch",
        series={
            f'clusterset_attribution_checks_total{{{JOB},destination_cluster="west",'
            f'claimed_cluster="east",attributed_cluster="{each}"}}': samples
            for each, samples in (("east", "0+60x30"), ("north", "0 0+60x30"))
        },
        not_yet=10,
        fires=13,
        labels={**WORLD, "claimed_cluster": "east", "attributed_cluster": "north"},
        gone=NO_SERVICE,
        says="Probes from east reach west with addresses that belong to north: CIDRs are wrong, "
        "or something rewrites addresses.",
        must_not={
            f'clusterset_attribution_checks_total{{{JOB},destination_cluster="west",'
            'claimed_cluster="east",attributed_cluster="east"}': "0+60x30"
        },
    ),
    Case(
        alert="ClustersetNameServerStuck",
        series=exporter("findings", "0 1x20", ',kind="stuck_name_server"'),
        not_yet=5,
        fires=7,
        labels={**ME, "kind": "stuck_name_server"},
        gone=NO_SERVICE,
        says="1 replicas of the clusterset's name server that 10.1.0.9:9877 asks name wrong "
        "clusters, though nothing changes.",
        must_not=exporter("findings", "0x20", ',kind="stuck_name_server"')
        | exporter("findings", "1x20", ',kind="stale_gateway"'),
    ),
    Case(
        alert="ClustersetProbesForged",
        series=exporter("probe_forgeries_total", "0 0 0 20x20", ',reason="bad_signature"'),
        not_yet=2,
        fires=5,
        labels={**ME, "reason": "bad_signature"},
        gone=NO_SERVICE,
        says="20 requests in the logs of 10.1.0.9:9877 claim to be probes and are not believed: "
        "bad_signature.",
        must_not=exporter("probe_forgeries_total", "0 0 0 2x20", ',reason="bad_signature"'),
    ),
    Case(
        alert="ClustersetExporterDown",
        series={f"up{{{JOB}}}": "1 0x20"},
        not_yet=5,
        fires=7,
        labels=ME,
        gone=NO_SERVICE,
        severity="critical",
        says="Prometheus gets no series from the exporter 10.1.0.9:9877.",
        must_not={f"up{{{JOB}}}": "1x20", 'up{job="node",instance="10.1.0.9:9100"}': "0x20"},
    ),
    Case(
        alert="ClustersetExporterMissing",
        series={
            f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1x20",
            'clusterset_info{source_cluster="west"}': "1 stale",
        },
        not_yet=5,
        fires=8,
        labels=WORLD,
        gone=NO_SERVICE | GLOBAL,
        severity="critical",
        says="Other clusters know west, and no series come from an exporter there.",
        must_not={
            f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1x20",
            'clusterset_info{source_cluster="west"}': "1x20",
        },
    ),
    Case(
        alert="ClustersetExporterReloadFailed",
        series=exporter("config_last_reload_successful", "1 0x20"),
        not_yet=5,
        fires=7,
        labels=ME,
        gone=NO_SERVICE,
        says="The newest file of 10.1.0.9:9877 is broken; the old one stays in use.",
        must_not=exporter("config_last_reload_successful", "1x20")
        | exporter("inventory_last_reload_successful", "1x20"),
    ),
    Case(
        alert="ClustersetExporterWatchFailing",
        series=exporter("watch_state", "0 1x20", ',resource="endpointslices",state="forbidden"'),
        not_yet=5,
        fires=7,
        labels={**ME, "resource": "endpointslices", "state": "forbidden"},
        gone=NO_SERVICE,
        says="The watch of endpointslices by 10.1.0.9:9877 is forbidden.",
        must_not=exporter("watch_state", "1x20", ',resource="endpointslices",state="synced"'),
    ),
    Case(
        alert="ClustersetExporterStale",
        series=exporter(
            "watch_last_received_timestamp_seconds", "0x20", ',resource="endpointslices"'
        ),
        not_yet=6,
        fires=10,
        labels={**ME, "resource": "endpointslices"},
        gone=NO_SERVICE,
        says="The watch of endpointslices by 10.1.0.9:9877 has been silent for 10m 0s.",
        must_not=exporter(
            "watch_last_received_timestamp_seconds", "-299+60x20", ',resource="endpointslices"'
        ),
    ),
    Case(
        alert="ClustersetExporterLogsBehind",
        series=exporter("log_behind_seconds", "0 120x20", ',log="nginx"'),
        not_yet=5,
        fires=7,
        labels={**ME, "log": "nginx"},
        gone=NO_SERVICE,
        says="The newest line of nginx was 2m 0s old when 10.1.0.9:9877 read it.",
        must_not=exporter("log_behind_seconds", "59x20", ',log="nginx"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_drops_total", "0 0+9x20", ',log="syslog"'),
        not_yet=6,
        fires=8,
        labels={**ME, "log": "syslog"},
        gone=NO_SERVICE,
        says="10.1.0.9:9877 misses lines of syslog, cannot read it, or "
        "cannot keep how far it read.",
        must_not=exporter("log_drops_total", "7x20", ',log="syslog"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_gaps_total", "0 1x20", ',log="pods"'),
        not_yet=5,
        fires=8,
        labels={**ME, "log": "pods"},
        gone=NO_SERVICE,
        says="10.1.0.9:9877 misses lines of pods, cannot read it, or cannot keep how far it read.",
        must_not=exporter("log_gaps_total", "0x20", ',log="pods"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_gaps_total", "_ _ 1x20", ',log="pods"'),
        not_yet=6,
        fires=9,
        labels={**ME, "log": "pods"},
        gone=NO_SERVICE,
        says="10.1.0.9:9877 misses lines of pods, cannot read it, or cannot keep how far it read.",
        must_not=exporter("log_gaps_total", "0x20", ',log="pods"'),
    ),
    Case(
        alert="ClustersetExporterProbesSkipped",
        series=exporter("probes_skipped_total", "0 0 0+30x20"),
        not_yet=1,
        fires=6,
        labels=ME,
        gone=NO_SERVICE,
        says="10.1.0.9:9877 skipped 120 probes within 15m.",
        must_not=exporter("probes_skipped_total", "0 0 5x20"),
    ),
    Case(
        alert="ClustersetExporterSeriesLimit",
        series=exporter("series", "10 95x30") | exporter("series_limit", "100x31"),
        not_yet=15,
        fires=17,
        labels=ME,
        gone=NO_SERVICE,
        says="10.1.0.9:9877 has no room for new series: what is new is not counted.",
        must_not=exporter("series", "89x30") | exporter("series_limit", "100x31"),
    ),
]

CASES = [*SERVICES, *EXPORTERS]
