"""Alerts about the exporters themselves: whether they run, read what they need, and keep up."""

from dashboards import queries
from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds

_ME = "The exporter {{ $labels.instance }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [
        _down(to),
        _missing(to),
        _two_leaders(to),
        _stale_inventory(to),
        _reload(to),
        _watch(to),
        _silence(to),
        _wrong_format(to),
        _behind(to),
        _lost(to),
        _skipped(to),
        _series(to),
    ]


def _down(to: Thresholds) -> Alert:
    up = f'up{{job=~"{to.job}"}}'
    return Alert(
        name="ClustersetExporterDown",
        severity=Severity.CRITICAL,
        board=Board.EXPORTERS,
        panel="Up",
        command=Command.PODS,
        expr=f"{up} == 0 or absent({up})",
        wait=to.exporter_for,
        summary="An exporter cannot be scraped, so nobody watches its cluster.",
        description="Prometheus gets no series from the exporter {{ $labels.instance }}.",
    )


def _missing(to: Thresholds) -> Alert:
    known = 'max by (destination_cluster) (clusterset_gateway_connected{view="strict"})'
    present = (
        'label_replace(clusterset_info, "destination_cluster", "$1", "source_cluster", "(.+)")'
    )
    return Alert(
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
        description="Other clusters know {{ $labels.destination_cluster }}, but Prometheus has no "
        "series from an exporter there.",
    )


def _two_leaders(to: Thresholds) -> Alert:
    info = "group_left (source_cluster) clusterset_info"
    return Alert(
        name="ClustersetExporterTwoLeaders",
        severity=Severity.WARNING,
        board=Board.EXPORTERS,
        panel="Up",
        command=Command.PODS,
        expr="count by (source_cluster) "
        f"((clusterset_exporter_leader == 1) * on (job, instance) {info}) > 1",
        wait=to.leaders_for,
        summary="Two replicas of an exporter work at the same time.",
        description="{{ $value }} replicas of the exporter in {{ $labels.source_cluster }} lead at "
        "the same time, so requests and probes are counted more than once.",
    )


def _stale_inventory(to: Thresholds) -> Alert:
    since = "clusterset_exporter_inventory_stale_since_timestamp_seconds"
    return Alert(
        name="ClustersetExporterInventoryStale",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Watches",
        command=Command.PROBLEMS,
        expr=f"time() - {since} > {to.stale_seconds}",
        summary="An exporter does not see changes of its cluster.",
        description=f"{_ME} has not been able to see changes of its cluster for "
        "{{ $value | humanizeDuration }}.",
    )


def _reload(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetExporterReloadFailed",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Configuration file",
        command=Command.FILES,
        expr="clusterset_exporter_config_last_reload_successful == 0 or "
        "clusterset_exporter_inventory_last_reload_successful == 0",
        wait=to.reload_for,
        summary="An exporter runs with an old configuration or inventory.",
        description=f"{_ME} goes on with an old configuration or inventory, because the newest one "
        "is broken.",
    )


def _watch(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetExporterWatchFailing",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Watches",
        command=Command.PROBLEMS,
        expr='clusterset_exporter_watch_state{state=~"listing|forbidden|failing"} == 1',
        wait=to.watch_for,
        summary="An exporter cannot read what it needs from the API server.",
        description=f"{_ME} cannot read {{{{ $labels.resource }}}} from the API server (state of "
        "the watch: {{ $labels.state }}).",
    )


def _silence(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetExporterStale",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Silence of the watches",
        command=Command.PROBLEMS,
        expr="time() - clusterset_exporter_watch_last_received_timestamp_seconds"
        f" > {to.watch_age_seconds}",
        wait="1m",
        summary="An exporter has received nothing from the API server for a long time.",
        description=f"{_ME} has received nothing about {{{{ $labels.resource }}}} from the API "
        "server for {{ $value | humanizeDuration }}.",
    )


def _wrong_format(to: Thresholds) -> Alert:
    other, read = (
        "sum without (outcome) "
        f"(increase(clusterset_exporter_log_lines_total{matchers}[{to.format_window}]))"
        for matchers in ('{outcome="other"}', "")
    )
    return Alert(
        name="ClustersetExporterLogFormatWrong",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Lines read",
        command=Command.PROBLEMS,
        expr=f"{queries.over(other, read)} > {to.format_ratio} and {other} > {to.format_lines}",
        wait=to.format_for,
        summary="Most lines of a log are not in the format that is configured.",
        description="{{ $value | humanizePercentage }} of the lines that the exporter "
        "{{ $labels.instance }} reads from the log {{ $labels.log }} are not in the format that is "
        "configured.",
    )


def _behind(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetExporterLogsBehind",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Age of lines when read",
        command=Command.SERIES,
        expr=f"clusterset_exporter_log_behind_seconds > {to.log_behind_seconds}",
        wait=to.log_for,
        summary="An exporter counts log lines late.",
        description="The newest line of the log {{ $labels.log }} was "
        "{{ $value | humanizeDuration }} old when the exporter {{ $labels.instance }} read it.",
    )


def _lost(to: Thresholds) -> Alert:
    lost = " or ".join(
        f"increase(clusterset_exporter_{kind}_total[{to.probes_window}]) > 0"
        for kind in ("log_drops", "log_errors", "log_gaps", "checkpoint_failures")
    )
    gaps = "clusterset_exporter_log_gaps_total"
    return Alert(
        name="ClustersetExporterLogsLost",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Events of the logs",
        command=Command.PROBLEMS,
        # A new leader finds a gap before its first scrape, so that there is no increase.
        expr=f"{lost} or ({gaps} > 0 unless {gaps} offset {to.probes_window})",
        wait=to.log_for,
        summary="An exporter misses log lines, or cannot read a log or save its place in it.",
        description=f"{_ME} misses lines of the log {{{{ $labels.log }}}}, cannot read it, or "
        "cannot save its place in it.",
    )


def _skipped(to: Thresholds) -> Alert:
    # The counters by reason see no first event; exporters of 0.2.0 have nothing else.
    not_made, skipped = (
        f"increase(clusterset_exporter_{name}_total[{to.probes_window}]) > {to.skipped}"
        for name in ("probes_not_made", "probes_skipped")
    )
    return Alert(
        name="ClustersetExporterProbesSkipped",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Probes skipped",
        command=Command.SERIES,
        expr=f"{not_made} or ignoring (reason) {skipped}",
        summary="An exporter does not make all its probes.",
        description=f"{_ME} skipped {{{{ $value | humanize }}}} probes within {to.probes_window}.",
    )


def _series(to: Thresholds) -> Alert:
    dropped = f"increase(clusterset_exporter_series_dropped_total[{to.probes_window}])"
    return Alert(
        name="ClustersetExporterSeriesLimit",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Series in use",
        command=Command.SERIES,
        expr="clusterset_exporter_series / clusterset_exporter_series_limit > "
        f"{to.series_ratio} or {dropped} > 0",
        wait=to.series_for,
        summary="An exporter has reached its limit of series, or soon will.",
        description=f"{_ME} has little or no room for new series, and what does not fit is not "
        "counted.",
    )
