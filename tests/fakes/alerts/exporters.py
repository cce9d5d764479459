"""Cases of dashboards/alerts_exporters.py."""

from tests.fakes.alerts.case import GLOBAL, JOB, ME, NO_SERVICE, PAIR, WORLD, Case, exporter


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


CASES = [
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
        says="Other clusters know west, but Prometheus has no series from an exporter there.",
        must_not={
            f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1x20",
            'clusterset_info{source_cluster="west"}': "1x20",
        },
    ),
    Case(
        alert="ClustersetExporterTwoLeaders",
        series=leading("1x30", "0 1x30"),
        not_yet=2,
        fires=4,
        gone=NO_SERVICE - {"source_cluster"} | {"job"},
        says="2 replicas of the exporter in east lead at the same time, so requests and probes are "
        "counted more than once.",
        must_not=leading("1x30", "0x30"),
    ),
    Case(
        alert="ClustersetExporterInventoryStale",
        series=exporter("inventory_stale_since_timestamp_seconds", "60x30"),
        not_yet=11,
        fires=12,
        labels=ME,
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 has not been able to see changes of its cluster "
        "for 11m 0s.",
        must_not=exporter("inventory_stale_since_timestamp_seconds", "_x9 540x20"),
    ),
    Case(
        alert="ClustersetExporterReloadFailed",
        series=exporter("config_last_reload_successful", "1 0x20"),
        not_yet=5,
        fires=7,
        labels=ME,
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 goes on with an old configuration or inventory, "
        "because the newest one is broken.",
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
        says="The exporter 10.1.0.9:9877 cannot read endpointslices from the API server "
        "(state of the watch: forbidden).",
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
        says="The exporter 10.1.0.9:9877 has received nothing about endpointslices from "
        "the API server for 10m 0s.",
        must_not=exporter(
            "watch_last_received_timestamp_seconds", "-299+60x20", ',resource="endpointslices"'
        ),
    ),
    Case(
        alert="ClustersetExporterLogFormatWrong",
        series=lines("0+90x40", "0+10x40"),
        not_yet=4,
        fires=20,
        labels={**ME, "log": "nginx"},
        gone=NO_SERVICE,
        says="90% of the lines that the exporter 10.1.0.9:9877 reads from the log nginx "
        "are not in the format that is configured.",
        # The notices of a server that starts are few.
        must_not=lines("0 20x40", "0x40"),
    ),
    Case(
        alert="ClustersetExporterLogsBehind",
        series=exporter("log_behind_seconds", "0 120x20", ',log="nginx"'),
        not_yet=5,
        fires=7,
        labels={**ME, "log": "nginx"},
        gone=NO_SERVICE,
        says="The newest line of the log nginx was 2m 0s old when the exporter "
        "10.1.0.9:9877 read it.",
        must_not=exporter("log_behind_seconds", "59x20", ',log="nginx"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_drops_total", "0 0+9x20", ',log="syslog"'),
        not_yet=6,
        fires=8,
        labels={**ME, "log": "syslog"},
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 misses lines of the log syslog, cannot read it, "
        "or cannot save its place in it.",
        must_not=exporter("log_drops_total", "7x20", ',log="syslog"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_gaps_total", "0 1x20", ',log="pods"'),
        not_yet=5,
        fires=8,
        labels={**ME, "log": "pods"},
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 misses lines of the log pods, cannot read it, or "
        "cannot save its place in it.",
        must_not=exporter("log_gaps_total", "0x20", ',log="pods"'),
    ),
    Case(
        alert="ClustersetExporterLogsLost",
        series=exporter("log_gaps_total", "_ _ 1x20", ',log="pods"'),
        not_yet=6,
        fires=9,
        labels={**ME, "log": "pods"},
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 misses lines of the log pods, cannot read it, or "
        "cannot save its place in it.",
        must_not=exporter("log_gaps_total", "0x20", ',log="pods"'),
    ),
    Case(
        alert="ClustersetExporterProbesSkipped",
        series=exporter("probes_skipped_total", "0 0 0+30x20"),
        not_yet=1,
        fires=6,
        labels=ME,
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 skipped 120 probes within 15m.",
        must_not=exporter("probes_skipped_total", "0 0 5x20"),
    ),
    Case(
        # The counter of the reason is new with its first event, so only the total rises.
        alert="ClustersetExporterProbesSkipped",
        series=exporter("probes_not_made_total", "0 0 0 30x20")
        | exporter("probes_skipped_total", "_ _ _ 30x20", ',reason="in_flight"'),
        not_yet=2,
        fires=6,
        labels=ME,
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 skipped 30 probes within 15m.",
        must_not=exporter("probes_not_made_total", "0 0 0 5x20")
        | exporter("probes_skipped_total", "_ _ _ 5x20", ',reason="in_flight"'),
    ),
    Case(
        alert="ClustersetExporterSeriesLimit",
        series=exporter("series", "10 95x30") | exporter("series_limit", "100x31"),
        not_yet=15,
        fires=17,
        labels=ME,
        gone=NO_SERVICE,
        says="The exporter 10.1.0.9:9877 has little or no room for new series, and what "
        "does not fit is not counted.",
        must_not=exporter("series", "89x30") | exporter("series_limit", "100x31"),
    ),
]
