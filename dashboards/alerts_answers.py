"""Alerts about answers that are neither right nor a failover, or that depend on who is asked."""

from dashboards import queries
from dashboards.alerts import WHAT, Alert, Board, Command, Severity
from dashboards.queries import REPLICA
from dashboards.thresholds import Thresholds

_SOURCE = "{{ $labels.source_cluster }}"
_ME = "the exporter {{ $labels.instance }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [
        _in_mode(
            "degraded",
            to.degraded_for,
            summary="DNS leads some clients to a cluster that does not reply.",
            description=f"Some clients in {_SOURCE} get no reply from {WHAT}, because DNS leads "
            "them to a cluster that does not reply.",
        ),
        _in_mode(
            "mixed",
            to.mixed_for,
            summary="DNS leads clients to a wrong cluster for part of the time.",
            description=f"Clients in {_SOURCE} get {WHAT} from their own cluster and from another "
            "one in turns, though only one is right.",
        ),
        _lookups(to),
        _resolvers(to),
        _name_server(to),
    ]


def _in_mode(mode: str, wait: str, *, summary: str, description: str) -> Alert:
    return Alert(
        name=f"ClustersetService{mode.capitalize()}",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Mode over time",
        command=Command.CHECK_FROM,
        expr=f'max without ({REPLICA}) (clusterset_service_mode{{mode="{mode}"}}) == 1',
        wait=wait,
        summary=summary,
        description=description,
    )


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
        summary="Clients often get no address for the name of a service.",
        description=f"{{{{ $value | humanizePercentage }}}} of the look-ups of {WHAT} that are "
        f"made as clients in {_SOURCE} make them get no address.",
    )


def _resolvers(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetResolversDisagree",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Findings",
        command=Command.PROBLEMS,
        expr='clusterset_exporter_findings{kind="resolvers_disagree"} > 0',
        wait=to.resolvers_for,
        summary="It depends on the name server that is asked to which cluster a service leads.",
        description=f"The name servers that {_ME} uses lead to different clusters "
        "(services concerned: {{ $value }}).",
    )


def _name_server(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetNameServerStuck",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Findings",
        command=Command.PROBLEMS,
        expr='clusterset_exporter_findings{kind="stuck_name_server"} > 0',
        wait=to.stuck_for,
        summary="A replica of the clusterset's name server keeps giving old answers.",
        description=f"The clusterset's name server that {_ME} asks keeps naming wrong clusters, "
        "though nothing changes (replicas concerned: {{ $value }}).",
    )
