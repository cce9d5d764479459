"""Samples of many clusters and services, made up, on a Prometheus that holds them and no others."""

import itertools
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass

from dashboards import queries
from exporter.metrics import families as series
from exporter.model.probes import LATENCIES
from exporter.model.verdicts import FailoverStage, Locality, Mode, Rule
from tests.fakes.tools import need

END = 1_800_000_000
EVERY = 60
BLOCK = 7200
EXPORTS = 3
AWAY = 300
"""Seconds for which a service is in failover."""


def label(**labels):
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def of(service):
    namespace, name = service
    return {"destination_service_namespace": namespace, "destination_service_name": name}


def target(cluster):
    return {"job": "clusterset-exporter", "instance": f"{cluster}:9877"}


def gauge(name, labels, value=lambda _: 1):
    return name, label(**labels), value


def without_job(labels):
    return {name: value for name, value in labels.items() if name not in {"job", "instance"}}


def recorded_from(labels):
    return {"job": "clusterset-exporter", **without_job(labels)}


def during(start, value, seconds=None, otherwise=None):
    """Return a value from *start* on, and another one, or none, before and after."""
    end = float("inf") if seconds is None else start + seconds
    return lambda t: value if start <= t < end else otherwise


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """
    What is made up.

    The series that a board reads over all services are made for all of them, and those that only
    the board of one service reads for the first few: others would add an index look-up each.
    """

    clusters: list
    services: list
    detailed: int = 3
    hours: int = 24
    moving: int = 1
    """Of so many services, as clients of each cluster see them, one fails over for a while."""

    @property
    def start(self):
        return END - self.hours * 3600

    def everything(self):
        """Return all series, sorted: name, labels, and the value at a time."""
        made = [*self._everywhere(), *self._recorded(), *self._exporters()]
        for service in self.services[: self.detailed]:
            made += self._one_service(service)
        return sorted(made, key=lambda each: each[0])

    def _exporters_of(self, index):
        number = min(EXPORTS, len(self.clusters))
        return [self.clusters[(index + n) % len(self.clusters)] for n in range(number)]

    def _counter(self, name, labels, rate=0.5):
        return name, label(**labels), lambda t: round(rate * (t - self.start))

    def _histogram(self, name, labels, buckets):
        for place, le in enumerate([*buckets, "+Inf"]):
            yield self._counter(f"{name}_bucket", {**labels, "le": le}, 0.01 * (place + 1))
        yield self._counter(f"{name}_count", labels, 0.1)

    def _everywhere(self):
        pairs = list(itertools.product(enumerate(self.services), self.clusters))
        for number, ((index, service), cluster) in enumerate(pairs):
            here = {**target(cluster), "source_cluster": cluster, **of(service)}
            yield gauge("clusterset_service_standby_clusters", here, lambda _: 2)
            exported = self._exporters_of(index)
            if number % self.moving:
                yield gauge(queries.MODE_CODE, recorded_from(here))
            else:
                at = self.start + number * self.hours * 3600 // len(pairs)
                yield from self._move(here, at, cluster, exported)
            own = {**target(cluster), "destination_cluster": cluster, **of(service)}
            is_exported = float(cluster in exported)
            yield gauge("clusterset_service_exported", own, lambda _, it=is_exported: it)
            for other in exported:
                yield gauge("clusterset_service_ready", {**here, "destination_cluster": other})

    def _move(self, here, at, cluster, exported):
        to = next((each for each in exported if each != cluster), cluster)
        how = {"from_cluster": cluster, "to_cluster": to, "reason": "readiness"}
        yield gauge(queries.MODE_CODE, recorded_from(here), during(at, 3, AWAY, 1))
        yield gauge(queries.TROUBLE, recorded_from(here), during(at, 3, AWAY))
        yield gauge("clusterset_failovers_total", {**here, **how}, during(at, 1))
        moved, took, accuracy = (
            f"clusterset_failover_last_{each}_seconds"
            for each in ("timestamp", "duration", "accuracy")
        )
        yield gauge(moved, here, during(at, at))
        for stage in FailoverStage:
            yield gauge(took, {**here, "stage": stage}, during(at, 0.93))
        yield gauge(accuracy, {**here, "stage": "served"}, during(at, 0.2))

    def _recorded(self):
        job = {"job": "clusterset-exporter"}
        namespaces = dict.fromkeys(namespace for namespace, _ in self.services)
        for cluster, namespace in itertools.product(self.clusters, namespaces):
            at = {**job, "source_cluster": cluster, "destination_service_namespace": namespace}
            yield gauge(queries.NO_STANDBY, at, lambda _: 0)
            for mode in Mode:
                number = 10 * (mode is Mode.LOCAL)
                yield gauge(queries.MODE_COUNT, {**at, "mode": mode}, lambda _, it=number: it)
        yield from self._of_pairs(job)
        for index, service in enumerate(self.services):
            for cluster in self._exporters_of(index):
                at = {**job, "destination_cluster": cluster, **of(service)}
                yield gauge(queries.SERVICE_FAILURE_RATE, at, lambda _: 0.01)
                for locality in (Locality.LOCAL, Locality.REMOTE, Locality.FAILOVER):
                    yield gauge(queries.SERVICE_REQUEST_RATE, {**at, "locality": locality})

    def _of_pairs(self, job):
        for (row, source), (column, destination) in itertools.product(
            enumerate(self.clusters), enumerate(self.clusters)
        ):
            at = {**job, "source_cluster": source, "destination_cluster": destination}
            yield gauge(queries.FAILURE_RATE, at, lambda _, it=row: 0.002 * it)
            crossing = (Locality.REMOTE, Locality.FAILOVER)
            for locality in (Locality.LOCAL,) if row == column else crossing:
                rate = 40.0 if row == column else 1 + (3 * row + column) % 5
                where = {**at, "locality": locality}
                yield gauge(queries.REQUEST_RATE, where, lambda _, it=rate: it)
                yield gauge(queries.BYTE_RATE, where, lambda _, it=rate: 900 * it)

    def _one_service(self, service):
        exported = self._exporters_of(self.services.index(service))
        for row, cluster in enumerate(self.clusters):
            here = {**target(cluster), "source_cluster": cluster, **of(service)}
            for mode in Mode:
                held = float(mode == Mode.LOCAL)
                yield gauge(
                    "clusterset_service_mode", {**here, "mode": mode}, lambda _, it=held: it
                )
            for rule in Rule:
                yield self._counter("clusterset_rule_checks_total", {**here, "rule": rule})
                broken = {**here, "rule": rule}
                yield self._counter("clusterset_rule_violations_total", broken, 0.01 * row)
            yield self._counter("clusterset_service_outage_seconds_total", here, 0.001 * row)
            for stage in FailoverStage:
                yield from self._histogram(
                    "clusterset_failover_duration_seconds",
                    {**here, "stage": stage},
                    series.FAILOVER_DURATION.buckets,
                )
            for column, other in enumerate(exported):
                yield from self._pair({**here, "destination_cluster": other}, row, column)

    def _pair(self, pair, row, column):
        count = self._counter
        yield count(
            "clusterset_dns_answers_total", {**pair, "vantage": "resolver"}, 1 / (1 + row + column)
        )
        for name in ("plain", "pinned"):
            probes = {**pair, "protocol": "http", "name": name}
            yield count("clusterset_probes_total", probes)
            for reason in ("timeout", "connect_refused", "reply_status", "nxdomain"):
                failed = {**probes, "reason": reason}
                yield count("clusterset_probe_failures_total", failed, 0.01 * row)
        logged = {**target(pair["destination_cluster"]), **without_job(pair)}
        yield count("clusterset_probe_hits_total", {**logged, "verified": "true"})
        yield from self._histogram("clusterset_request_duration_seconds", logged, LATENCIES)
        for locality in (Locality.LOCAL, Locality.FAILOVER, Locality.LEAK):
            where = {**logged, "locality": locality}
            rate = 0.05 if locality is Locality.LEAK else 5 + row
            yield count("clusterset_requests_total", where, rate)
            yield count("clusterset_request_failures_total", where, 0.002 * row)

    def _exporters(self):
        for row, cluster in enumerate(self.clusters):
            at = target(cluster)
            yield gauge("clusterset_info", {**at, "source_cluster": cluster})
            yield gauge("up", at)
            for family in series.FAMILIES:
                if not family.name.startswith("clusterset_exporter_"):
                    continue
                labels = {**at, **dict.fromkeys(family.labels, "x")}
                if family.buckets:
                    yield from self._histogram(family.name, labels, family.buckets)
                else:
                    yield self._counter(family.name, labels, 0.1 * (1 + row))
            for column, other in enumerate(self.clusters):
                pair = {**at, "source_cluster": cluster, "destination_cluster": other}
                yield gauge("clusterset_gateway_connected", {**pair, "view": "strict"})
                time_to_reply = 0.002 + 0.004 * abs(row - column)
                yield gauge(queries.REPLY_P95, recorded_from(pair), lambda _, it=time_to_reply: it)
                for phase in ("dns", "connect", "reply"):
                    yield from self._histogram(
                        "clusterset_probe_duration_seconds", {**pair, "phase": phase}, LATENCIES
                    )


REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-southeast-1")


def crowd_of(number, services=200):
    """Return so many clusters with long names, and what is made up of them within an hour."""
    names = [f"member-{region}-{kind}" for kind in ("production", "staging") for region in REGIONS]
    return Crowd(
        clusters=sorted(names[:number]),
        services=[
            (f"team-{n % 20}-payments", f"customer-notification-gateway-{n}")
            for n in range(services)
        ],
        hours=1,
        moving=150,
    )


TEN_CLUSTERS = crowd_of(10)


def blocks_of(folder, crowd):
    """Write the samples below *folder*, and return how many series there are."""
    made, text = crowd.everything(), folder / "block.om"
    for start in range(crowd.start, END, BLOCK):
        _write(text, range(start, min(start + BLOCK, END), EVERY), made)
        promtool = [need("promtool"), "tsdb", "create-blocks-from", "openmetrics"]
        subprocess.run([*promtool, text, folder / "data"], check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    return len(made)


def _write(path, times, made):
    with path.open("w") as file:
        for name, labels, value in made:
            held = ((t, value(t)) for t in times)
            kept = (f"{name}{{{labels}}} {it} {t}\n" for t, it in held if it is not None)
            file.write("".join(kept))
        file.write("# EOF\n")


@contextmanager
def served(folder):
    """Yield the URL of a Prometheus that holds the blocks below *folder*."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    command = [
        need("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    try:
        yield _ready(f"http://127.0.0.1:{port}/")
    finally:
        process.terminate()
        process.wait(10)


def _ready(url):
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}-/ready", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return url
    raise TimeoutError(url)
