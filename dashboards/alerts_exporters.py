"""Alerts about tunnels, addresses and the exporters themselves."""

from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.queries import REPLICA
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds

_ME = "{{ $labels.instance }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [*_tunnels(to), *_witnesses(to), *_gone(to), *_inputs(to), *_logs(to), *_load(to)]


def _tunnels(to: Thresholds) -> list[Alert]:
    connected = f'min without ({REPLICA}) (clusterset_gateway_connected{{view="strict"}})'
    return [
        Alert(
            name="ClustersetTunnelDown",
            severity=Severity.CRITICAL,
            board=Board.SOURCE,
            panel="Tunnels",
            command=Command.TUNNELS,
            expr=f"{connected} == 0",
            wait=to.tunnel_for,
            summary="A cluster has no tunnel to another.",
            description="{{ $labels.source_cluster }} has no live tunnel to "
            "{{ $labels.destination_cluster }}: neither could take over for the other.",
        )
    ]


def _witnesses(to: Thresholds) -> list[Alert]:
    labels = "destination_cluster, claimed_cluster, attributed_cluster"
    checks = f"rate(clusterset_attribution_checks_total[{to.probes_window}])"
    agree = (
        f"label_replace(sum by (destination_cluster, claimed_cluster) ({checks}), "
        '"attributed_cluster", "$1", "claimed_cluster", "(.+)")'
    )
    forged, any_forged = (
        f"increase(clusterset_exporter_{name}_total[{to.probes_window}]) > {to.forgeries}"
        for name in ("probe_forgeries", "probes_forged")
    )
    # The counter of a reason is new with its first event, and increase() does not see that one.
    unnamed = f'label_replace({any_forged}, "reason", "see the board", "", "")'
    return [
        Alert(
            name="ClustersetAttributionMismatch",
            severity=Severity.WARNING,
            board=Board.EXPORTERS,
            panel="Claimed and attributed",
            command=Command.EXPORTS,
            expr=f"sum without ({REPLICA}) ({checks}) > 0 unless on ({labels}) {agree}",
            wait=to.attribution_for,
            summary="Probes arrive with addresses of another cluster.",
            description="Probes from {{ $labels.claimed_cluster }} reach "
            "{{ $labels.destination_cluster }} with addresses that belong to "
            "{{ $labels.attributed_cluster }}: CIDRs are wrong, or something rewrites addresses.",
        ),
        Alert(
            name="ClustersetNameServerStuck",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Findings",
            command=Command.PROBLEMS,
            expr='clusterset_exporter_findings{kind="stuck_name_server"} > 0',
            wait=to.stuck_for,
            summary="A replica of the clusterset's name server goes on with old answers.",
            description=f"{{{{ $value }}}} replicas of the clusterset's name server that {_ME} "
            "asks name wrong clusters, though nothing changes.",
        ),
        Alert(
            name="ClustersetProbesForged",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Not trusted",
            command=Command.SERIES,
            expr=f"{forged} or ignoring (reason) {unnamed}",
            summary="Requests imitate probes.",
            description=f"{{{{ $value | humanize }}}} requests in the logs of {_ME} claim to be "
            "probes and are not believed: {{ $labels.reason }}.",
        ),
    ]


def _gone(to: Thresholds) -> list[Alert]:
    up, exporters = f'up{{job=~"{to.job}"}}', "max by (destination_cluster)"
    known = f'{exporters} (clusterset_gateway_connected{{view="strict"}})'
    present = (
        'label_replace(clusterset_info, "destination_cluster", "$1", "source_cluster", "(.+)")'
    )
    return [
        Alert(
            name="ClustersetExporterDown",
            severity=Severity.CRITICAL,
            board=Board.EXPORTERS,
            panel="Up",
            command=Command.PODS,
            expr=f"{up} == 0 or absent({up})",
            wait=to.exporter_for,
            summary="An exporter cannot be scraped, so nobody watches its cluster.",
            description="Prometheus gets no series from the exporter {{ $labels.instance }}.",
        ),
        Alert(
            name="ClustersetExporterMissing",
            severity=Severity.CRITICAL,
            scope=Scope.GLOBAL,
            board=Board.EXPORTERS,
            panel="Up",
            command=Command.PODS_AT,
            # absent() fires only if all are gone. The tunnels of other clusters name each one.
            expr=f"{known} >= 0 unless on (destination_cluster) {present}",
            wait=to.exporter_for,
            summary="A cluster of the clusterset has no exporter.",
            description="Other clusters know {{ $labels.destination_cluster }}, and no series come "
            "from an exporter there.",
        ),
    ]


def _inputs(to: Thresholds) -> list[Alert]:
    return [
        Alert(
            name="ClustersetExporterReloadFailed",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Configuration file",
            command=Command.FILES,
            expr="clusterset_exporter_config_last_reload_successful == 0 or "
            "clusterset_exporter_inventory_last_reload_successful == 0",
            wait=to.reload_for,
            summary="An exporter runs with an old configuration or inventory.",
            description=f"The newest file of {_ME} is broken; the old one stays in use.",
        ),
        Alert(
            name="ClustersetExporterWatchFailing",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Watches",
            command=Command.PROBLEMS,
            expr='clusterset_exporter_watch_state{state=~"listing|forbidden|failing"} == 1',
            wait=to.watch_for,
            summary="An exporter cannot read what it needs from the API server.",
            description=f"The watch of {{{{ $labels.resource }}}} by {_ME} is "
            "{{ $labels.state }}.",
        ),
        Alert(
            name="ClustersetExporterStale",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Silence of the watches",
            command=Command.PROBLEMS,
            expr="time() - clusterset_exporter_watch_last_received_timestamp_seconds"
            f" > {to.watch_age_seconds}",
            wait="1m",
            summary="An exporter has received nothing from the API server for a long time.",
            description=f"The watch of {{{{ $labels.resource }}}} by {_ME} has been silent for "
            "{{ $value | humanizeDuration }}.",
        ),
    ]


def _logs(to: Thresholds) -> list[Alert]:
    lost = " or ".join(
        f"increase(clusterset_exporter_{kind}_total[{to.probes_window}]) > 0"
        for kind in ("log_drops", "log_errors", "log_gaps", "checkpoint_failures")
    )
    gaps = "clusterset_exporter_log_gaps_total"
    # A new leader finds a gap before its first scrape, so that there is no increase.
    lost += f" or ({gaps} > 0 unless {gaps} offset {to.probes_window})"
    return [
        Alert(
            name="ClustersetExporterLogsBehind",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Age of lines when read",
            command=Command.SERIES,
            expr=f"clusterset_exporter_log_behind_seconds > {to.log_behind_seconds}",
            wait=to.log_for,
            summary="An exporter counts log lines late.",
            description=f"The newest line of {{{{ $labels.log }}}} was "
            f"{{{{ $value | humanizeDuration }}}} old when {_ME} read it.",
        ),
        Alert(
            name="ClustersetExporterLogsLost",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Events of the logs",
            command=Command.PROBLEMS,
            expr=lost,
            wait=to.log_for,
            summary="An exporter misses log lines, or cannot read a log or save its place in it.",
            description=f"{_ME} misses lines of {{{{ $labels.log }}}}, cannot read it, or cannot "
            "keep how far it read.",
        ),
    ]


def _load(to: Thresholds) -> list[Alert]:
    # The counters by reason see no first event; exporters of 0.2.0 have nothing else.
    not_made, skipped = (
        f"increase(clusterset_exporter_{name}_total[{to.probes_window}]) > {to.skipped}"
        for name in ("probes_not_made", "probes_skipped")
    )
    dropped = f"increase(clusterset_exporter_series_dropped_total[{to.probes_window}])"
    return [
        Alert(
            name="ClustersetExporterProbesSkipped",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Probes skipped",
            command=Command.SERIES,
            expr=f"{not_made} or ignoring (reason) {skipped}",
            summary="An exporter does not make all its probes.",
            description=f"{_ME} skipped {{{{ $value | humanize }}}} probes within "
            f"{to.probes_window}.",
        ),
        Alert(
            name="ClustersetExporterSeriesLimit",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Series in use",
            command=Command.SERIES,
            expr="clusterset_exporter_series / clusterset_exporter_series_limit > "
            f"{to.series_ratio} or {dropped} > 0",
            wait=to.series_for,
            summary="An exporter has reached its limit of series.",
            description=f"{_ME} has no room for new series: what is new is not counted.",
        ),
    ]
