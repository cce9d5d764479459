"""Every series, declared once, as a table: its name, type, help, labels and buckets."""

from exporter.metrics.family import Family, counter, gauge, histogram
from exporter.model.probes import LATENCIES

_SERVICE = ("destination_service_namespace", "destination_service_name")
_SOURCE = ("source_cluster", *_SERVICE)
_DESTINATION = ("destination_cluster", *_SERVICE)
_BOTH = ("source_cluster", "destination_cluster", *_SERVICE)
_PROBE = (*_BOTH, "protocol", "name")
_FAILOVER = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
_RTTS = (0.00005, 0.0001, 0.00025, 0.0005, *LATENCIES[:9])
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

# What the logs of this cluster contain: destination_cluster is always this cluster.
REQUESTS = counter(
    "clusterset_requests_total",
    "Client requests served by this cluster, by the cluster of the client.",
    *_BOTH,
    "locality",
)
REQUEST_FAILURES = counter(
    "clusterset_request_failures_total",
    "Client requests answered with a 5xx status.",
    *_BOTH,
    "locality",
)
RESPONSE_BYTES = counter(
    "clusterset_response_bytes_total",
    "Bytes of the response bodies sent to clients.",
    *_BOTH,
    "locality",
)
UPSTREAM_REQUESTS = counter(
    "clusterset_upstream_requests_total",
    "Requests that a gateway of this cluster sent to a server, each try counted for itself.",
    *_BOTH,
    "locality",
)
UPSTREAM_FAILURES = counter(
    "clusterset_upstream_request_failures_total",
    "The same that the server answered with a 5xx status, or not at all.",
    *_BOTH,
    "locality",
)
REQUEST_DURATION = histogram(
    "clusterset_request_duration_seconds",
    "Time that client requests took, if the log contains it.",
    LATENCIES,
    *_BOTH,
)
PROBE_HITS = counter(
    "clusterset_probe_hits_total",
    "Probes of exporters that were found in the logs of this cluster.",
    *_BOTH,
    "verified",
)
ATTRIBUTION_CHECKS = counter(
    "clusterset_attribution_checks_total",
    "Probes found in the logs, by the cluster that they claim and the cluster that their "
    "address belongs to.",
    "destination_cluster",
    "claimed_cluster",
    "attributed_cluster",
)
ATTRIBUTION_AGREEMENT = gauge(
    "clusterset_attribution_agreement_ratio",
    "Share of the newest verified probes whose address belongs to the cluster that they claim.",
    "source_cluster",
    "destination_cluster",
)
CLOCK_SKEW = gauge(
    "clusterset_clock_skew_seconds",
    "How far the clock of a cluster is ahead of the clock of the logs here, by verified probes.",
    "source_cluster",
    "destination_cluster",
)
LEAKS_WITHHELD = counter(
    "clusterset_leaks_withheld_total",
    "Requests counted as unknown instead of as a leak, because attribution is not reliable.",
    *_BOTH,
)

# What the probes of this cluster saw: source_cluster is always this cluster.
PROBES = counter(
    "clusterset_probes_total",
    "Probes made. destination_cluster is the cluster that the answer pointed to, empty "
    "without an answer.",
    *_PROBE,
)
PROBES_FAILED = counter(
    "clusterset_probes_failed_total",
    "Probes that failed, whatever the reason; starts at 0.",
    *_SOURCE,
    "protocol",
    "name",
)
PROBE_FAILURES = counter(
    "clusterset_probe_failures_total",
    "The same failures by cluster and reason; each appears with its first event.",
    *_PROBE,
    "reason",
)
PROBE_DURATION = histogram(
    "clusterset_probe_duration_seconds",
    "Duration of each phase of a probe, unless the probe failed in that phase.",
    LATENCIES,
    "source_cluster",
    "destination_cluster",
    "phase",
)
PROBE_RTT = histogram(
    "clusterset_probe_rtt_seconds",
    "Round trip time of the TCP handshake of probes, as measured by the kernel.",
    _RTTS,
    "source_cluster",
    "destination_cluster",
)
CERTIFICATE_EXPIRY = gauge(
    "clusterset_probe_certificate_expiry_timestamp_seconds",
    "Unix time at which the first of the certificates expires that a server sent to a probe, its "
    "own or an issuer's, trusted or not.",
    *_BOTH,
)
DNS_LOOKUPS = counter(
    "clusterset_dns_lookups_total",
    "Lookups of the plain name, by how they were made and which name server was asked.",
    *_SOURCE,
    "vantage",
    "lookup",
)
DNS_LOOKUPS_FAILED = counter(
    "clusterset_dns_lookups_failed_total",
    "Lookups of the plain name that returned no address, whatever the reason; starts at 0.",
    *_SOURCE,
    "vantage",
    "lookup",
)
DNS_LOOKUP_FAILURES = counter(
    "clusterset_dns_lookup_failures_total",
    "The same lookups by reason; each appears with its first event.",
    *_SOURCE,
    "vantage",
    "lookup",
    "reason",
)
DNS_ANSWERS = counter(
    "clusterset_dns_answers_total",
    "Answers for the plain name, by the cluster that they pointed to.",
    *_BOTH,
    "vantage",
)
SERVICE_MODE = gauge(
    "clusterset_service_mode",
    "1 for how a client in this cluster is served by the service now, 0 for all other modes.",
    *_SOURCE,
    "mode",
)
STANDBYS = gauge(
    "clusterset_service_standby_clusters",
    "Clusters that would serve if the cluster that serves now stopped.",
    *_SOURCE,
)
HAZARD = gauge(
    "clusterset_service_hazard",
    "1 for a hazard that would break the next failover of the service or the verdict on it; absent "
    "without it.",
    *_SOURCE,
    "hazard",
)
RULE_CHECKS = counter(
    "clusterset_rule_checks_total", "Probes that were able to check the rule.", *_SOURCE, "rule"
)
RULE_VIOLATIONS = counter(
    "clusterset_rule_violations_total", "Probes that found the rule violated.", *_SOURCE, "rule"
)
MOVES = counter(
    "clusterset_service_moves_total",
    "Moves of a service from one cluster to another, failbacks included; starts at 0.",
    *_SOURCE,
)
FAILOVERS = counter(
    "clusterset_failovers_total",
    "The same moves by clusters and reason; each appears with its first event.",
    *_SOURCE,
    "from_cluster",
    "to_cluster",
    "reason",
)
FAILOVER_DURATION = histogram(
    "clusterset_failover_duration_seconds",
    "Duration of a move. dns: from its cause to the new answer. served: from its cause to"
    " the first good reply. outage: from the first failure to that reply. Without a known"
    " cause the first failure counts as the cause.",
    _FAILOVER,
    *_SOURCE,
    "stage",
)
FAILOVER_TIMESTAMP = gauge(
    "clusterset_failover_last_timestamp_seconds",
    "Unix time at which the newest move was complete.",
    *_SOURCE,
)
FAILOVER_LAST_DURATION = gauge(
    "clusterset_failover_last_duration_seconds",
    "Durations of the newest move, by stage.",
    *_SOURCE,
    "stage",
)
FAILOVER_ACCURACY = gauge(
    "clusterset_failover_last_accuracy_seconds",
    "Largest possible error of each duration of the newest move: gaps between probes, and how late "
    "the exporter saw the change.",
    *_SOURCE,
    "stage",
)
OUTAGE = counter(
    "clusterset_service_outage_seconds_total",
    "Seconds during which confirmed probes of the plain name found no cluster that serves.",
    *_SOURCE,
)

# What the inventory says.
EXPORTED = gauge(
    "clusterset_service_exported", "1 if this cluster exports the service.", *_DESTINATION
)
EXPORT_CONDITION = gauge(
    "clusterset_service_export_condition",
    "1 if the condition of this cluster's ServiceExport holds, 0 if not.",
    *_DESTINATION,
    "type",
)
ENDPOINTS = gauge(
    "clusterset_service_endpoints",
    "Endpoints of the exported service in this cluster.",
    *_DESTINATION,
    "condition",
)
READY = gauge(
    "clusterset_service_ready",
    "1 if this cluster sees the service ready in the destination cluster.",
    *_BOTH,
)
CONNECTED = gauge(
    "clusterset_gateway_connected",
    "1 if this cluster has a live tunnel to the destination cluster (strict), or if its "
    "name server assumes that it has one (lighthouse).",
    "source_cluster",
    "destination_cluster",
    "view",
)
LATENCY = gauge(
    "clusterset_gateway_latency_seconds",
    "Round trip time from this cluster's gateway to the gateway of the destination "
    "cluster, as measured by Submariner.",
    "source_cluster",
    "destination_cluster",
)
INFO = gauge(
    "clusterset_info",
    "What is known of this cluster, and which source named it; always 1.",
    "source_cluster",
    "karmada_cluster",
    "submariner_version",
    "globalnet",
    "identity",
)

# The exporter itself.
BUILD_INFO = gauge(
    "clusterset_exporter_build_info", "Version of the exporter; always 1.", "version", "python"
)
CONFIG_RELOAD_OK = gauge(
    "clusterset_exporter_config_last_reload_successful",
    "1 if the newest configuration file is in use.",
)
CONFIG_RELOAD_TIME = gauge(
    "clusterset_exporter_config_last_reload_success_timestamp_seconds",
    "Unix time at which the configuration in use was loaded.",
)
INVENTORY_OK = gauge(
    "clusterset_exporter_inventory_last_reload_successful",
    "1 if the newest inventory file is in use.",
)
INVENTORY_TIME = gauge(
    "clusterset_exporter_inventory_last_reload_success_timestamp_seconds",
    "Unix time at which the inventory in use was loaded.",
)
INVENTORY_STALE_SINCE = gauge(
    "clusterset_exporter_inventory_stale_since_timestamp_seconds",
    "Unix time since which changes of the local cluster are not seen, because the API server does "
    "not answer; absent while the inventory is current.",
)
INVENTORY_FAILURES = counter(
    "clusterset_exporter_inventory_reload_failures_total",
    "Versions of the inventory file that were invalid and are not used.",
)
WATCH_STATE = gauge(
    "clusterset_exporter_watch_state",
    "1 for the state of a watched resource of the API server, 0 for all other states.",
    "resource",
    "state",
)
WATCH_RECEIVED = gauge(
    "clusterset_exporter_watch_last_received_timestamp_seconds",
    "Unix time at which the API server last sent something about a resource.",
    "resource",
)
WATCH_REQUESTS = counter(
    "clusterset_exporter_watch_requests_total",
    "List and watch requests that were started.",
    "resource",
)
WATCH_RELISTS = counter(
    "clusterset_exporter_watch_relists_total",
    "Lists that were needed because the API server no longer knew our resourceVersion.",
    "resource",
)
WATCH_FAILURES = counter(
    "clusterset_exporter_watch_failures_total", "List and watch requests that failed.", "resource"
)
WATCH_EVENTS = counter(
    "clusterset_exporter_watch_events_total", "Events that a watch brought.", "resource", "type"
)
WATCH_BAD_LINES = counter(
    "clusterset_exporter_watch_bad_lines_total",
    "Lines of a watch that were not a valid event.",
    "resource",
)
WATCH_BAD_OBJECTS = counter(
    "clusterset_exporter_watch_bad_objects_total",
    "Invalid objects received in lists and watches, counted each time.",
    "resource",
)
BROKEN_OBJECTS = gauge(
    "clusterset_exporter_broken_objects",
    "Objects that are invalid now and are left out.",
    "resource",
)
AUTHENTICATION_ERRORS = counter(
    "clusterset_exporter_api_authentication_errors_total",
    "Requests for which the API server refused our credentials (401).",
)
FINDINGS = gauge(
    "clusterset_exporter_findings", "Findings that people should know, by kind.", "kind"
)
LEADER = gauge(
    "clusterset_exporter_leader",
    "1 if this replica works, 0 if it stands by; absent without a Lease. It is 1 on two replicas "
    "while one cannot reach the API server and does not see that the other holds the Lease.",
)
PODS_FOLLOWED = gauge("clusterset_exporter_pod_logs", "Pod logs that are followed now.")
POD_LOG_REQUESTS = counter(
    "clusterset_exporter_pod_log_requests_total",
    "Requests to the API server that followed a pod log.",
    "log",
)
POD_LOG_SKIPPED = counter(
    "clusterset_exporter_pod_log_lines_skipped_total",
    "Lines of pod logs that were not counted. repeated: the line was read before. unstamped: a "
    "message of the kubelet itself, without a time stamp.",
    "log",
    "reason",
)
LOG_GAPS = counter(
    "clusterset_exporter_log_gaps_total",
    "Times at which lines of a pod log may be missing: the kubelet rotated the log, or the "
    "container was restarted twice, while nobody followed.",
    "log",
)
LOG_GAP_SECONDS = counter(
    "clusterset_exporter_log_gap_seconds_total",
    "Seconds of pod logs of which lines may be missing.",
    "log",
)
LOG_LINES = counter(
    "clusterset_exporter_log_lines_total",
    "Log lines read, by outcome: access; ignored (health checks); foreign (another host);"
    " other (not an access log line); truncated (too long); partial (without an end).",
    "log",
    "outcome",
)
LOG_SLOW_BLOCKS = counter(
    "clusterset_exporter_log_slow_blocks_total",
    "Blocks of log lines that were read line by line, because only that gives exact counts.",
    "log",
)
LOG_BEHIND_BYTES = gauge(
    "clusterset_exporter_log_behind_bytes", "Bytes in log files that have not been read yet.", "log"
)
LOG_BEHIND_SECONDS = gauge(
    "clusterset_exporter_log_behind_seconds",
    "Age of the newest line when it was read, by its own time stamp; 0 while no lines come.",
    "log",
)
LOG_ROTATIONS = counter(
    "clusterset_exporter_log_rotations_total", "Log files that were rotated.", "log"
)
LOG_TRUNCATIONS = counter(
    "clusterset_exporter_log_truncations_total", "Log files that were truncated.", "log"
)
LOG_ERRORS = counter(
    "clusterset_exporter_log_errors_total",
    "Log files that could not be read, counted once for each cause.",
    "log",
)
LOG_DROPS = counter(
    "clusterset_exporter_log_drops_total",
    "Syslog messages dropped because too many waited to be counted.",
    "log",
)
CHECKPOINT_FAILURES = counter(
    "clusterset_exporter_checkpoint_failures_total",
    "Checkpoints that could not be used or written.",
    "log",
)
FORGED = counter(
    "clusterset_exporter_probes_forged_total",
    "Requests in logs that claim to be probes and are not believed, whatever the reason.",
)
FORGERIES = counter(
    "clusterset_exporter_probe_forgeries_total",
    "The same requests by reason; each appears with its first event. With a probe key they are "
    "also counted as client requests.",
    "reason",
)
NOT_MADE = counter(
    "clusterset_exporter_probes_not_made_total",
    "Probes that were due and not made, whatever the reason.",
)
SKIPPED = counter(
    "clusterset_exporter_probes_skipped_total",
    "The same probes by reason; each appears with its first event. overrun: the one before still "
    "ran. in_flight: the largest allowed number ran. late: their time passed while others were "
    "started.",
    "reason",
)
LAGGED = counter(
    "clusterset_exporter_probes_lagged_total",
    "Probes that ran while the event loop was blocked for more than 50 ms. They are not "
    "in the histograms.",
)
DNS_MISMATCHES = counter(
    "clusterset_exporter_dns_mismatched_responses_total",
    "DNS messages that a probe received and ignored, because they did not answer its question.",
)
START_DELAY = histogram(
    "clusterset_exporter_probe_start_delay_seconds",
    "Delay between the planned and the real start of probes.",
    _LAG,
)
STAGE_RESTARTS = counter(
    "clusterset_exporter_stage_restarts_total",
    "How often a stage of the exporter was started again after it had failed, which is a bug.",
    "stage",
)
LOOP_LAG = histogram(
    "clusterset_exporter_event_loop_lag_seconds",
    "Delay with which the event loop woke a task up, measured twice a second.",
    _LAG,
)
SERIES = gauge("clusterset_exporter_series", "Series of services and clusters that are held.")
SERIES_LIMIT = gauge(
    "clusterset_exporter_series_limit",
    "Largest number of series of services and clusters that may be held.",
)
SERIES_DROPPED = counter(
    "clusterset_exporter_series_dropped_total",
    "Updates of series that were dropped because the limit was reached.",
)

FAMILIES = tuple(each for each in tuple(globals().values()) if isinstance(each, Family))
"""All of the above, in this order."""
