"""
How long the boards' queries take over 10 clusters, 200 services and 24 hours.

The bench makes up samples, one per minute. It makes the series that a board reads over all
services for all of them. It makes the series that only the board of one service reads for a few
services. The others would add only an index look-up of the same cost.
"""

import itertools
import math
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from dashboards import queries
from exporter.metrics import families as series
from exporter.model.probes import LATENCIES
from exporter.model.verdicts import FailoverStage, Locality, Mode, Rule
from tests.fakes.boards import BOARDS, panels
from tests.fakes.grafana import Prometheus, View

CLUSTERS = [f"cluster-{n}" for n in range(10)]
SERVICES = [(f"team-{n % 20}", f"service-{n}") for n in range(200)]
DETAILED = SERVICES[:3]
EXPORTS = 3
END = 1_800_000_000
EVERY = 60
BLOCK = 7200
HOURS = 24
TRIES = 3
RANGES = {"3h": 3 * 3600, "24h": 24 * 3600}


def exporters_of(number):
    return [CLUSTERS[(number + n) % len(CLUSTERS)] for n in range(EXPORTS)]


def label(**labels):
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def of(service):
    namespace, name = service
    return {"destination_service_namespace": namespace, "destination_service_name": name}


def target(cluster):
    return {"job": "clusterset-exporter", "instance": f"{cluster}:9877"}


def gauge(name, labels, value=lambda _: 1):
    return name, label(**labels), value


def counter(name, labels, rate=0.5):
    return name, label(**labels), lambda t: round(rate * (t - END + HOURS * 3600))


def histogram(name, labels, buckets):
    for place, le in enumerate([*buckets, "+Inf"]):
        yield counter(f"{name}_bucket", {**labels, "le": le}, 0.01 * (place + 1))
    yield counter(f"{name}_count", labels, 0.1)


def everywhere():
    for number, (service, cluster) in enumerate(itertools.product(SERVICES, CLUSTERS)):
        here = {**target(cluster), "source_cluster": cluster, **of(service)}
        # Each fails over for five minutes once in the day, at another time.
        moved = END - HOURS * 3600 + number * 40
        yield gauge(queries.MODE_CODE, recorded_from(here), mode_at(moved))
        yield gauge(queries.TROUBLE, recorded_from(here), trouble_at(moved))
        yield gauge("clusterset_service_standby_clusters", here, lambda _: 2)
        yield gauge("clusterset_failover_last_timestamp_seconds", here, lambda _, at=moved: at)
        for stage in FailoverStage:
            yield gauge("clusterset_failover_last_duration_seconds", {**here, "stage": stage})
        index = SERVICES.index(service)
        exported = float(cluster in exporters_of(index))
        own = {**target(cluster), "destination_cluster": cluster, **of(service)}
        yield gauge("clusterset_service_exported", own, lambda _, it=exported: it)
        for other in exporters_of(index):
            yield gauge("clusterset_service_ready", {**here, "destination_cluster": other})


def without_job(labels):
    return {name: value for name, value in labels.items() if name not in {"job", "instance"}}


def recorded_from(labels):
    return {"job": "clusterset-exporter", **without_job(labels)}


def trouble_at(moved):
    return lambda t: 3 if moved <= t < moved + 300 else None


def mode_at(moved):
    return lambda t: 3 if moved <= t < moved + 300 else 1


def recorded():
    job = {"job": "clusterset-exporter"}
    for cluster, (namespace, _) in itertools.product(CLUSTERS, SERVICES[:20]):
        at = {**job, "source_cluster": cluster, "destination_service_namespace": namespace}
        yield gauge(queries.NO_STANDBY, at, lambda _: 0)
        for mode in Mode:
            yield gauge(queries.MODE_COUNT, {**at, "mode": mode})
    for source, destination in itertools.product(CLUSTERS, CLUSTERS):
        at = {**job, "source_cluster": source, "destination_cluster": destination}
        yield gauge(queries.FAILURE_RATE, at, lambda _: 0.01)
        kinds = (Locality.LOCAL,) if source == destination else (Locality.REMOTE, Locality.FAILOVER)
        for locality in kinds:
            yield gauge(queries.REQUEST_RATE, {**at, "locality": locality})
            yield gauge(queries.BYTE_RATE, {**at, "locality": locality})
    for number, service in enumerate(SERVICES):
        for cluster in exporters_of(number):
            at = {**job, "destination_cluster": cluster, **of(service)}
            yield gauge(queries.SERVICE_FAILURE_RATE, at, lambda _: 0.01)
            for locality in (Locality.LOCAL, Locality.REMOTE, Locality.FAILOVER):
                yield gauge(queries.SERVICE_REQUEST_RATE, {**at, "locality": locality})


def one_service(service):
    exported = exporters_of(SERVICES.index(service))
    for cluster in CLUSTERS:
        here = {**target(cluster), "source_cluster": cluster, **of(service)}
        for mode in Mode:
            yield gauge(
                "clusterset_service_mode",
                {**here, "mode": mode},
                lambda _, it=float(mode == Mode.LOCAL): it,
            )
        for rule in Rule:
            yield counter("clusterset_rule_checks_total", {**here, "rule": rule})
            yield counter("clusterset_rule_violations_total", {**here, "rule": rule}, 0.01)
        yield counter("clusterset_service_outage_seconds_total", here, 0.001)
        for stage in FailoverStage:
            yield from histogram(
                "clusterset_failover_duration_seconds",
                {**here, "stage": stage},
                series.FAILOVER_DURATION.buckets,
            )
        for other in exported:
            pair = {**here, "destination_cluster": other}
            yield counter("clusterset_dns_answers_total", {**pair, "vantage": "resolver"})
            for name in ("plain", "pinned"):
                yield counter("clusterset_probes_total", {**pair, "protocol": "http", "name": name})
                for reason in ("timeout", "connect_refused", "reply_status", "nxdomain"):
                    yield counter(
                        "clusterset_probe_failures_total",
                        {**pair, "protocol": "http", "name": name, "reason": reason},
                        0.01,
                    )
            logged = {**target(other), **without_job(pair)}
            yield counter("clusterset_probe_hits_total", {**logged, "verified": "true"})
            yield from histogram("clusterset_request_duration_seconds", logged, LATENCIES)
            for locality in (Locality.LOCAL, Locality.FAILOVER, Locality.LEAK):
                yield counter("clusterset_requests_total", {**logged, "locality": locality}, 5)
                yield counter(
                    "clusterset_request_failures_total", {**logged, "locality": locality}, 0.01
                )


def exporters():
    for cluster in CLUSTERS:
        at = target(cluster)
        yield gauge("clusterset_info", {**at, "source_cluster": cluster})
        yield gauge("up", at)
        for family in series.FAMILIES:
            if not family.name.startswith("clusterset_exporter_"):
                continue
            labels = {**at, **dict.fromkeys(family.labels, "x")}
            if family.buckets:
                yield from histogram(family.name, labels, family.buckets)
            else:
                yield counter(family.name, labels)
        for other in CLUSTERS:
            pair = {**at, "source_cluster": cluster, "destination_cluster": other}
            yield gauge("clusterset_gateway_connected", {**pair, "view": "strict"})
            yield gauge(queries.REPLY_P95, recorded_from(pair), lambda _: 0.01)
            for phase in ("dns", "connect", "reply"):
                yield from histogram(
                    "clusterset_probe_duration_seconds", {**pair, "phase": phase}, LATENCIES
                )


def everything():
    yield from everywhere()
    yield from recorded()
    for service in DETAILED:
        yield from one_service(service)
    yield from exporters()


def write_block(path, start, all_series):
    times = range(start, start + BLOCK, EVERY)
    with path.open("w") as file:
        for name, labels, value in all_series:
            held = ((t, value(t)) for t in times)
            kept = (f"{name}{{{labels}}} {it} {t}\n" for t, it in held if it is not None)
            file.write("".join(kept))
        file.write("# EOF\n")


def make_blocks(folder, all_series):
    text = folder / "block.om"
    for start in range(END - HOURS * 3600, END, BLOCK):
        write_block(text, start, all_series)
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, folder / "data"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text.unlink()


def serve(folder):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return process, url
    process.kill()
    raise TimeoutError(url)


def timed(view):
    """Yield the title of each panel and how long each of its queries took at best."""
    for panel in panels(view.board):
        for query in panel.get("targets", []):
            took = []
            for _ in range(TRIES):
                begun = time.perf_counter()
                view.run(panel, query)
                took.append(time.perf_counter() - begun)
            yield panel["title"], statistics.median(took)


def main():
    folder = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else Path(tempfile.mkdtemp(prefix="bench-dashboards-"))
    )
    all_series = sorted(everything(), key=lambda each: each[0])
    begun = time.perf_counter()
    if not (folder / "data").exists():
        make_blocks(folder, all_series)
    samples = len(all_series) * HOURS * 3600 // EVERY
    spent = time.perf_counter() - begun
    print(f"{len(all_series):,} series, {samples:,} samples, made in {spent:.0f} s", flush=True)
    process, url = serve(folder)
    try:
        for (uid, board), (word, span) in itertools.product(BOARDS.items(), RANGES.items()):
            view = View(board, Prometheus(url), start=END - span, end=END - EVERY, scrape=EVERY)
            took = sorted((spent, title) for title, spent in timed(view))
            p95 = took[math.ceil(0.95 * len(took)) - 1][0]
            slowest, title = took[-1]
            told = f"p95 {p95:.3f} s, slowest {slowest:.3f} s ({title})"
            print(f"{uid:20} {word:>4}: {len(took)} queries, {told}", flush=True)
    finally:
        process.terminate()
        process.wait(10)
        if len(sys.argv) == 1:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
