"""Every series, declared once: its name, kind, help, labels and buckets."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.model.probes import LATENCIES, RTTS


class Kind(StrEnum):
    """
    The metric types we expose.

    State sets and infos are gauges: OpenMetrics would force the metric's name upon the label.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


# Each is itself and no other: hashing all its text at each update would cost more than the update.
@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SERVICE = ("destination_service_namespace", "destination_service_name")
_SOURCE = ("source_cluster", *_SERVICE)
_DESTINATION = ("destination_cluster", *_SERVICE)
_BOTH = ("source_cluster", "destination_cluster", *_SERVICE)
_PROBE = (*_BOTH, "protocol", "name")
_FAILOVER = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

FAMILIES: list[Family] = []


def _declare(
    kind: Kind, name: str, text: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = ()
) -> Family:
    family = Family(name, kind, text, labels, buckets)
    FAMILIES.append(family)
    return family


def _counter(name: str, text: str, *labels: str) -> Family:
    return _declare(Kind.COUNTER, name, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return _declare(Kind.GAUGE, name, text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family:
    return _declare(Kind.HISTOGRAM, name, text, labels, buckets)


# What the logs of this cluster say: destination_cluster is always this cluster.
REQUESTS = _counter(
    "clusterset_requests_total",
    "Client requests served by this cluster, by the cluster of the client.",
    *_BOTH,
    "locality",
)
REQUEST_FAILURES = _counter(
    "clusterset_request_failures_total",
    "Client requests answered with a 5xx status.",
    *_BOTH,
    "locality",
)
RESPONSE_BYTES = _counter(
    "clusterset_response_bytes_total",
    "Bytes of the response bodies sent to clients.",
    *_BOTH,
    "locality",
)
REQUEST_DURATION = _histogram(
    "clusterset_request_duration_seconds",
    "Time of the client requests, where the log tells it.",
    LATENCIES,
    *_BOTH,
)
PROBE_HITS = _counter(
    "clusterset_probe_hits_total",
    "Probes of exporters seen in the logs of this cluster.",
    *_BOTH,
    "verified",
)
ATTRIBUTION_CHECKS = _counter(
    "clusterset_attribution_checks_total",
    "Probes seen in the logs, by the cluster they claim and the one their address belongs to.",
    "destination_cluster",
    "claimed_cluster",
    "attributed_cluster",
)
ATTRIBUTION_AGREEMENT = _gauge(
    "clusterset_attribution_agreement_ratio",
    "Share of the newest verified probes for which the address belongs to the cluster claimed.",
    "source_cluster",
    "destination_cluster",
)
LEAKS_WITHHELD = _counter(
    "clusterset_leaks_withheld_total",
    "Requests counted as unknown instead of as a leak, since attribution cannot be believed.",
    *_BOTH,
)

# What the probes of this cluster saw: source_cluster is always this cluster.
PROBES = _counter(
    "clusterset_probes_total",
    "Probes made; destination_cluster is where the answer pointed, empty without an answer.",
    *_PROBE,
)
PROBE_FAILURES = _counter(
    "clusterset_probe_failures_total", "Probes that failed, by reason.", *_PROBE, "reason"
)
PROBE_DURATION = _histogram(
    "clusterset_probe_duration_seconds",
    "Time of each phase of the probes that did not fail in it.",
    LATENCIES,
    "source_cluster",
    "destination_cluster",
    "phase",
)
PROBE_RTT = _histogram(
    "clusterset_probe_rtt_seconds",
    "Round trip of the TCP handshake of probes, as the kernel measured it.",
    RTTS,
    "source_cluster",
    "destination_cluster",
)
CERTIFICATE_EXPIRY = _gauge(
    "clusterset_probe_certificate_expiry_timestamp_seconds",
    "When the certificate that a probe was shown ends, whether it is trusted or not, unix time.",
    *_BOTH,
)
DNS_LOOKUPS = _counter(
    "clusterset_dns_lookups_total",
    "Look-ups of the plain name, by how they were made and who was asked.",
    *_SOURCE,
    "vantage",
    "lookup",
)
DNS_LOOKUP_FAILURES = _counter(
    "clusterset_dns_lookup_failures_total",
    "Look-ups of the plain name that brought no address, by reason.",
    *_SOURCE,
    "vantage",
    "lookup",
    "reason",
)
DNS_ANSWERS = _counter(
    "clusterset_dns_answers_total",
    "Answers to the plain name, by the cluster they pointed to.",
    *_BOTH,
    "vantage",
)
SERVICE_MODE = _gauge(
    "clusterset_service_mode",
    "1 for what a client in this cluster gets now from the service, 0 for all else.",
    *_SOURCE,
    "mode",
)
STANDBYS = _gauge(
    "clusterset_service_standby_clusters",
    "Clusters that would serve if the one that serves stopped.",
    *_SOURCE,
)
HAZARD = _gauge(
    "clusterset_service_hazard",
    "1 for what would break the next failover of the service or the verdict on it, 0 for all else.",
    *_SOURCE,
    "hazard",
)
RULE_CHECKS = _counter(
    "clusterset_rule_checks_total", "Probes that could check a promise.", *_SOURCE, "rule"
)
RULE_VIOLATIONS = _counter(
    "clusterset_rule_violations_total", "Probes that found a promise broken.", *_SOURCE, "rule"
)
FAILOVERS = _counter(
    "clusterset_failovers_total",
    "Moves of a service from one cluster to another, failbacks included.",
    *_SOURCE,
    "from_cluster",
    "to_cluster",
    "reason",
)
FAILOVER_DURATION = _histogram(
    "clusterset_failover_duration_seconds",
    "From the cause of a move, else its first failure, to the new answer (dns) and the first good "
    "reply (served); from the first failure to that reply (outage).",
    _FAILOVER,
    *_SOURCE,
    "stage",
)
FAILOVER_TIMESTAMP = _gauge(
    "clusterset_failover_last_timestamp_seconds",
    "When the newest move was over, unix time.",
    *_SOURCE,
)
FAILOVER_LAST_DURATION = _gauge(
    "clusterset_failover_last_duration_seconds", "Durations of the newest move.", *_SOURCE, "stage"
)
FAILOVER_ACCURACY = _gauge(
    "clusterset_failover_last_accuracy_seconds",
    "How far off the durations of the newest move may be: the time between two probes.",
    *_SOURCE,
)
OUTAGE = _counter(
    "clusterset_service_outage_seconds_total",
    "Seconds for which confirmed probes of the plain name found nobody serving.",
    *_SOURCE,
)

# What the inventory says.
EXPORTED = _gauge(
    "clusterset_service_exported", "1 if this cluster exports the service.", *_DESTINATION
)
EXPORT_CONDITION = _gauge(
    "clusterset_service_export_condition",
    "1 if the condition of this cluster's ServiceExport holds, 0 if not.",
    *_DESTINATION,
    "type",
)
ENDPOINTS = _gauge(
    "clusterset_service_endpoints",
    "Endpoints of the exported service in this cluster.",
    *_DESTINATION,
    "condition",
)
READY = _gauge(
    "clusterset_service_ready",
    "1 if this cluster sees the service ready in the destination cluster.",
    *_BOTH,
)
CONNECTED = _gauge(
    "clusterset_gateway_connected",
    "1 if this cluster has a live tunnel to the destination cluster (strict), or if its name "
    "server takes it to have one (lighthouse).",
    "source_cluster",
    "destination_cluster",
    "view",
)
LATENCY = _gauge(
    "clusterset_gateway_latency_seconds",
    "Round trip from this cluster's gateway to the destination cluster's, as Submariner measures.",
    "source_cluster",
    "destination_cluster",
)
INFO = _gauge(
    "clusterset_info",
    "What is known of this cluster, and what said which one it is; always 1.",
    "source_cluster",
    "karmada_cluster",
    "submariner_version",
    "globalnet",
    "identity",
)

# The exporter itself.
BUILD_INFO = _gauge(
    "clusterset_exporter_build_info", "Version of the exporter; always 1.", "version", "python"
)
CONFIG_RELOAD_OK = _gauge(
    "clusterset_exporter_config_last_reload_successful",
    "1 if the newest configuration file is the one in use.",
)
CONFIG_RELOAD_TIME = _gauge(
    "clusterset_exporter_config_last_reload_success_timestamp_seconds",
    "When the configuration in use was loaded, unix time.",
)
INVENTORY_OK = _gauge(
    "clusterset_exporter_inventory_last_reload_successful",
    "1 if the newest inventory file is the one in use.",
)
INVENTORY_TIME = _gauge(
    "clusterset_exporter_inventory_last_reload_success_timestamp_seconds",
    "When the inventory in use was loaded, unix time.",
)
INVENTORY_FAILURES = _counter(
    "clusterset_exporter_inventory_reload_failures_total",
    "Versions of the inventory file that were broken and not taken.",
)
WATCH_STATE = _gauge(
    "clusterset_exporter_watch_state",
    "1 for how a resource of the API server stands, 0 for all else.",
    "resource",
    "state",
)
WATCH_AGE = _gauge(
    "clusterset_exporter_watch_age_seconds",
    "Seconds since the API server last said something about a resource.",
    "resource",
)
WATCH_REQUESTS = _counter(
    "clusterset_exporter_watch_requests_total", "Lists and watches begun.", "resource"
)
WATCH_RELISTS = _counter(
    "clusterset_exporter_watch_relists_total",
    "Lists that were needed since the API server had forgotten our place.",
    "resource",
)
WATCH_FAILURES = _counter(
    "clusterset_exporter_watch_failures_total", "Lists and watches that failed.", "resource"
)
BROKEN_OBJECTS = _gauge(
    "clusterset_exporter_broken_objects", "Objects that make no sense and are left out.", "resource"
)
FINDINGS = _gauge(
    "clusterset_exporter_findings", "What discovery noticed and people should know.", "kind"
)
LEADER = _gauge(
    "clusterset_exporter_leader",
    "1 if this replica holds the Lease and works, 0 if it stands by; absent without a Lease.",
)
PODS_FOLLOWED = _gauge("clusterset_exporter_pod_logs", "Pod logs that are followed.")
LOG_LINES = _counter(
    "clusterset_exporter_log_lines_total",
    "Log lines read, by what they are: access; ignored (health checks); foreign (another host); "
    "other (no access line); truncated (too long); partial (without an end).",
    "log",
    "outcome",
)
LOG_SLOW_BLOCKS = _counter(
    "clusterset_exporter_log_slow_blocks_total",
    "Blocks of log lines that had to be read line by line to be exact.",
    "log",
)
LOG_BEHIND = _gauge(
    "clusterset_exporter_log_bytes_behind", "Bytes in log files that are not read yet.", "log"
)
LOG_SECONDS_BEHIND = _gauge(
    "clusterset_exporter_log_seconds_behind",
    "Age of the newest line when it was read, by its own time stamp; 0 while no lines come.",
    "log",
)
LOG_ROTATIONS = _counter(
    "clusterset_exporter_log_rotations_total", "Log files rotated away.", "log"
)
LOG_TRUNCATIONS = _counter(
    "clusterset_exporter_log_truncations_total", "Log files truncated.", "log"
)
LOG_ERRORS = _counter(
    "clusterset_exporter_log_errors_total",
    "Log files that could not be read, once each cause.",
    "log",
)
LOG_DROPS = _counter(
    "clusterset_exporter_log_drops_total",
    "Syslog messages dropped since too many waited to be counted.",
    "log",
)
CHECKPOINT_FAILURES = _counter(
    "clusterset_exporter_checkpoint_failures_total",
    "Checkpoints that could not be used or written.",
    "log",
)
FORGERIES = _counter(
    "clusterset_exporter_probe_forgeries_total",
    "Log lines that claim to be a probe and are not believed.",
    "reason",
)
SKIPPED = _counter(
    "clusterset_exporter_probes_skipped_total",
    "Probes not made: overrun, the one before still ran; in_flight, as many as allowed ran; late, "
    "their time passed while others were started.",
    "reason",
)
LAGGED = _counter(
    "clusterset_exporter_probes_lagged_total",
    "Probes that ran while the event loop was held up for more than 50 ms: not in the histograms.",
)
STRANGERS = _counter(
    "clusterset_exporter_dns_strangers_total",
    "DNS messages that came to a probe and were no answer to its question: passed over.",
)
START_DELAY = _histogram(
    "clusterset_exporter_probe_start_delay_seconds",
    "How much later than planned probes started.",
    _LAG,
)
LOOP_LAG = _histogram(
    "clusterset_exporter_event_loop_lag_seconds",
    "How much later than asked the event loop woke a task up, tried twice a second.",
    _LAG,
)
SERIES = _gauge("clusterset_exporter_series", "Series of services and clusters held.")
SERIES_LIMIT = _gauge("clusterset_exporter_series_limit", "Series that may be held.")
SERIES_DROPPED = _counter(
    "clusterset_exporter_series_dropped_total",
    "Updates of series that were not made since the limit is reached.",
)
