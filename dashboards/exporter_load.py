"""Clusterset / Exporter: whether the exporters keep up, and what they use."""

from dashboards import panels
from dashboards.bridge import Panel
from dashboards.exporter_selection import BUILD, GONE, each, rate
from dashboards.lines import OF_EXPORTERS


def probes() -> list[Panel]:
    """Return how many probes are made, and how many are not."""
    return [
        panels.graph(
            "Probes",
            "Probes per second of each exporter.",
            GONE,
            OF_EXPORTERS.query(rate("clusterset_probes_total")),
            lines=OF_EXPORTERS,
            unit="suffix: probes/s",
        ),
        panels.graph(
            "Probes skipped",
            "Probes per second that did not start, because the previous one or too many others"
            " ran.",
            GONE,
            OF_EXPORTERS.query(rate("clusterset_exporter_probes_not_made_total")),
            lines=OF_EXPORTERS,
            unit="suffix: probes/s",
            reach=1,
        ),
    ]


def lags() -> list[Panel]:
    """Return how late probes and timers are."""

    def late(title: str, description: str, series: str) -> Panel:
        bucket = rate(f"{series}_bucket", "le, instance")
        return panels.graph(
            title,
            description,
            GONE,
            OF_EXPORTERS.query(f"histogram_quantile(0.99, {bucket})"),
            lines=OF_EXPORTERS,
            unit="s",
        )

    return [
        late(
            "Probes started late by",
            "Delay of probe starts: 99 of 100 probes start within this time.",
            "clusterset_exporter_probe_start_delay_seconds",
        ),
        late(
            "Event loop late by",
            "Delay of the event loop: 99 of 100 timers fire within this time.",
            "clusterset_exporter_event_loop_lag_seconds",
        ),
    ]


def series() -> list[Panel]:
    """Return how near the limit of series is."""
    held, limit = "clusterset_exporter_series", "clusterset_exporter_series_limit"
    return [
        panels.graph(
            "Series in use",
            "Share of limits.series that is in use. At the limit, no new series is created.",
            GONE,
            OF_EXPORTERS.query(f"{each(held)} / {each(limit)}"),
            lines=OF_EXPORTERS,
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Updates dropped",
            "Updates of series per second that were dropped because the limit is reached.",
            GONE,
            OF_EXPORTERS.query(rate("clusterset_exporter_series_dropped_total")),
            lines=OF_EXPORTERS,
            unit="suffix: updates/s",
            reach=1,
        ),
    ]


def process() -> list[Panel]:
    """Return what each process uses."""

    def usage(title: str, description: str, expr: str, unit: str) -> Panel:
        query = OF_EXPORTERS.query(expr)
        return panels.graph(
            title, description, GONE, query, lines=OF_EXPORTERS, width=6, height=6, unit=unit
        )

    build = f"on (job, instance) group_left () {each(BUILD)}"
    cpu = f"rate({each('process_cpu_seconds_total')}[$__rate_interval])"
    return [
        usage("CPU", "Cores that each exporter uses.", f"{cpu} * {build}", "short"),
        usage(
            "Memory",
            "Resident memory of each exporter.",
            each("process_resident_memory_bytes"),
            "bytes",
        ),
        usage(
            "Open files",
            "Open file descriptors of each exporter.",
            each("process_open_fds"),
            "short",
        ),
        usage(
            "Scrapes take",
            "Time that Prometheus takes to scrape each exporter.",
            each("scrape_duration_seconds"),
            "s",
        ),
    ]
