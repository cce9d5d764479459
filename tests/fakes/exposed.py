"""The shape of an exposition: which series there are, of which type, with which labels."""

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

CLOSED = {
    "clusterset_exporter_log_lines_total": ("outcome",),
    "clusterset_failover_duration_seconds_count": ("stage",),
    "clusterset_gateway_connected": ("view",),
    "clusterset_requests_total": ("locality",),
    "clusterset_rule_checks_total": ("rule",),
    "clusterset_service_endpoints": ("condition",),
    "clusterset_service_mode": ("mode",),
}
"""Labels of which all values are always shown, so that the values can be compared too."""


def shapes(*texts: str) -> list[str]:
    """
    Return a line for each series of some expositions: its name, its type and its labels.

    An empty label is one that is not there, so a series may have several lines. The labels of
    `CLOSED` stand with their values.
    """
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                seen.add((sample.name, family.type, tuple(sorted(sample.labels))))
                for label in CLOSED.get(sample.name, ()):
                    values[sample.name, label].add(sample.labels[label])

    def shown(name: str, label: str) -> str:
        held = values.get((name, label))
        return f"{label}={'|'.join(sorted(held))}" if held else label

    return [
        f"{name} {kind} {','.join(shown(name, label) for label in labels)}".rstrip()
        for name, kind, labels in sorted(seen)
    ]
