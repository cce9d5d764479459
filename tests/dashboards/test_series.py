"""Boards and rules ask only for what is exposed, and what is exposed is asked for."""

import re

import yaml

from dashboards import objectives
from dashboards.renamed import FORMER
from dashboards.rules import Scope, recordings
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Kind
from tests.fakes.boards import BOARDS, GENERATED, expressions, series

SUFFIXES = {Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
EXPOSED = {
    f"{family.name}{suffix}" for family in FAMILIES for suffix in SUFFIXES.get(family.kind, ("",))
}
RECORDED = {rule.record for rule in [*recordings(), *objectives.recordings()]}
# What Prometheus itself adds to each scrape, and what client libraries say of a process.
FOREIGN = {
    "ALERTS",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "scrape_duration_seconds",
    "up",
}
# Exposed for a person who looks closely, on no board and in no alert, each with its reason.
DIAGNOSTIC = {
    "clusterset_exporter_dns_mismatched_responses_total": "somebody answers as the name server",
    "clusterset_dns_lookup_failures_total": "the reasons behind the share that the board shows",
    "clusterset_exporter_probes_lagged_total": "probes that are in no histogram of times",
    "clusterset_attribution_agreement_ratio": "made of what Claimed and attributed shows",
    "clusterset_exporter_broken_objects": "the status page names them",
    "clusterset_exporter_pod_logs": "beside the lines that they bring",
    "clusterset_exporter_api_authentication_errors_total": "the status page says what is refused",
    "clusterset_exporter_pod_log_lines_skipped_total": "what reconnections brought twice",
    "clusterset_exporter_pod_log_requests_total": "what pod logs cost the API server",
    "clusterset_exporter_stage_restarts_total": "always a bug, which the page and the log name",
    "clusterset_exporter_log_gap_seconds_total": "how long the gaps are, beside their number",
    "clusterset_exporter_watch_bad_lines_total": "what a proxy between may have damaged",
    "clusterset_exporter_watch_bad_objects_total": "how often, beside how many there are now",
    "clusterset_exporter_watch_events_total": "how much changes in the cluster",
    "clusterset_exporter_watch_failures_total": "the state of the watch says whether it matters",
    "clusterset_exporter_watch_relists_total": "how a watch goes on after it was cut off",
    "clusterset_exporter_watch_requests_total": "what the exporter costs the API server",
}


def rules():
    for scope in set(Scope) - {Scope.RENAMED}:
        path = GENERATED / "rules" / f"{scope}.yaml"
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def asked():
    for board in BOARDS.values():
        yield from expressions(board)
    for rule in rules():
        yield rule["expr"]


def test_boards_and_rules_ask_only_for_what_there_is():
    wanted = set().union(*map(series, [*asked(), *FORMER.values()]))
    assert wanted - EXPOSED - RECORDED - FOREIGN == set()


def test_what_is_exposed_is_on_a_board_or_in_an_alert():
    wanted = set().union(*map(series, asked()))
    unused = {
        family.name
        for family in FAMILIES
        if not any(name in wanted for name in (family.name, f"{family.name}_bucket"))
    }
    assert unused == DIAGNOSTIC.keys() & {family.name for family in FAMILIES}


def test_what_is_recorded_is_asked_for():
    wanted = set().union(*map(series, asked()))
    assert wanted >= RECORDED


def test_labels_that_are_asked_for_exist():
    known = {label for family in FAMILIES for label in family.labels} | {
        *("le", "job", "instance", "pod", "container", "endpoint", "node"),
        *("alertname", "alertstate", "severity"),
        *("hazard", "condition", "type", "resource", "state"),
    }
    for expression in asked():
        used = set(re.findall(r"[{,]\s*(\w+)(?:=|!=|=~|!~)\"", expression))
        for group in re.findall(r"(?:by|without|on|group_left) \(([^)]*)\)", expression):
            used |= {each.strip() for each in group.split(",") if each.strip()}
        assert used <= known, expression


def test_the_gate_knows_series_from_labels():
    assert series('sum by (up) (rate(clusterset_x_total{up="clusterset_y"}[5m]))') == {
        "clusterset_x_total"
    }
