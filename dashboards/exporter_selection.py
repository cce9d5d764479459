"""Which series the board of the exporters reads, and why there may be none."""

BUILD = "clusterset_exporter_build_info"
ME = 'job=~"$job",instance=~"$instance"'
GONE = "No exporter is scraped under this job"
NO_LOGS = "No access logs are read"
NO_KUBERNETES = "Not reported: this needs an inventory from Kubernetes"


def each(series: str) -> str:
    """Return the series of the chosen exporters."""
    return f"{series}{{{ME}}}"


def rate(series: str, by: str = "instance") -> str:
    """Return the rate of a counter of the chosen exporters."""
    return f"sum by ({by}) (rate({each(series)}[$__rate_interval]))"
