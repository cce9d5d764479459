"""Alerts about what is neither well nor a failover: answers that differ, exporters that do."""

from dashboards import queries
from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.queries import REPLICA
from dashboards.thresholds import Thresholds

_WHAT = "{{ $labels.destination_service_namespace }}/{{ $labels.destination_service_name }}"
_SOURCE = "{{ $labels.source_cluster }}"
_ME = "{{ $labels.instance }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [*_modes(to), _lookups(to), *_views(to), *_exporters(to)]


def _modes(to: Thresholds) -> list[Alert]:
    def in_mode(name: str, mode: str, wait: str, summary: str, description: str) -> Alert:
        return Alert(
            name=name,
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Mode over time",
            command=Command.CHECK_FROM,
            expr=f'max without ({REPLICA}) (clusterset_service_mode{{mode="{mode}"}}) == 1',
            wait=wait,
            summary=summary,
            description=description,
        )

    return [
        in_mode(
            "ClustersetServiceDegraded",
            "degraded",
            to.degraded_for,
            "Some answers lead clients to a cluster that does not reply.",
            f"Clients in {_SOURCE} are served {_WHAT} in part: one of the clusters that their "
            "answers name does not reply.",
        ),
        in_mode(
            "ClustersetServiceMixed",
            "mixed",
            to.mixed_for,
            "Right and wrong answers for a service alternate.",
            f"Clients in {_SOURCE} get {_WHAT} from their own cluster and from another one in "
            "turns, though only one is right.",
        ),
    ]


def _lookups(to: Thresholds) -> Alert:
    def made(series: str) -> str:
        name = f'clusterset_dns_{series}_total{{lookup="client"}}'
        return f"sum without ({REPLICA}) (increase({name}[{to.lookup_window}]))"

    return Alert(
        name="ClustersetLookupsFailing",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Failed look-ups",
        command=Command.CHECK_FROM,
        expr=f"{queries.over(made('lookups_failed'), made('lookups'))} > {to.lookup_ratio}",
        wait=to.lookup_for,
        summary="Look-ups as clients make them fail.",
        description=f"{{{{ $value | humanizePercentage }}}} of the look-ups of {_WHAT} that ask "
        f"as clients in {_SOURCE} do get no address.",
    )


def _views(to: Thresholds) -> list[Alert]:
    return [
        Alert(
            name="ClustersetResolversDisagree",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Findings",
            command=Command.PROBLEMS,
            expr='clusterset_exporter_findings{kind="resolvers_disagree"} > 0',
            wait=to.resolvers_for,
            summary="Name servers of the system name different clusters for a service.",
            description=f"For {{{{ $value }}}} services, name servers of the system that {_ME} "
            "asks name different clusters.",
        ),
        Alert(
            name="ClustersetClockSkew",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Findings",
            command=Command.PROBLEMS,
            expr=f"abs(clusterset_clock_skew_seconds) > {to.skew_seconds}",
            wait=to.skew_for,
            summary="The clocks of two clusters differ.",
            description=f"The clocks of {_SOURCE} and {{{{ $labels.destination_cluster }}}} differ "
            "by {{ $value | humanizeDuration }}.",
        ),
    ]


def _exporters(to: Thresholds) -> list[Alert]:
    since = "clusterset_exporter_inventory_stale_since_timestamp_seconds"
    other, read = (
        "sum without (outcome) "
        f"(increase(clusterset_exporter_log_lines_total{matchers}[{to.format_window}]))"
        for matchers in ('{outcome="other"}', "")
    )
    info = "group_left (source_cluster) clusterset_info"
    return [
        Alert(
            name="ClustersetExporterTwoLeaders",
            severity=Severity.WARNING,
            board=Board.EXPORTERS,
            panel="Up",
            command=Command.PODS,
            expr="count by (source_cluster) "
            f"((clusterset_exporter_leader == 1) * on (job, instance) {info}) > 1",
            wait=to.leaders_for,
            summary="Two replicas of an exporter work at the same time.",
            description=f"{{{{ $value }}}} replicas in {_SOURCE} lead, so requests and probes are "
            "counted more than once.",
        ),
        Alert(
            name="ClustersetExporterInventoryStale",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Watches",
            command=Command.PROBLEMS,
            expr=f"time() - {since} > {to.stale_seconds}",
            summary="An exporter does not see changes of its cluster.",
            description=f"{_ME} has not seen changes of its cluster for "
            "{{ $value | humanizeDuration }}.",
        ),
        Alert(
            name="ClustersetExporterLogFormatWrong",
            severity=Severity.WARNING,
            board=Board.EXPORTER,
            panel="Lines read",
            command=Command.PROBLEMS,
            expr=f"{queries.over(other, read)} > {to.format_ratio} and {other} > {to.format_lines}",
            wait=to.format_for,
            summary="Most lines of a log are not in the format that is configured.",
            description="{{ $value | humanizePercentage }} of the lines of {{ $labels.log }} that "
            f"{_ME} reads are no access lines.",
        ),
    ]
