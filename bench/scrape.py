"""What a scrape costs, beside prometheus_client with the same series."""

import gc
import time
import zlib
from functools import partial
from importlib import metadata
from statistics import median

import prometheus_client
from measure import Bars, machine
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics.exposition import pieces
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Kind
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import Cluster, Export, Inventory, Port, Service, ServiceName

SIZES = (1_000, 10_000, 100_000)
SCRAPES = 9
KINDS = {Kind.COUNTER: Counter, Kind.GAUGE: Gauge, Kind.HISTOGRAM: Histogram}


def held(size):
    """Return a store of about *size* series, as services bring them."""
    store = SeriesStore(4 * size)
    metrics = Metrics(store, "c0")
    metrics.configure(pinned=True)
    clusters = {f"c{n}": Cluster(id=f"c{n}") for n in range(3)}
    exports = tuple(Export(cluster=id_, addresses=(), ready=True) for id_ in clusters)
    services = {}
    while store.budget.used < size:
        name = ServiceName("shop", f"service-{len(services)}")
        services[name] = Service(name=name, ports=(Port(name="http", port=80),), exports=exports)
        found = Inventory(local="c0", clusters=clusters, services=dict(services))
        if len(services) % (1 + size // 2000) == 0:
            metrics.set_inventory(found, services.keys())
    # Values as they are after a while: no two alike.
    for family in store.series.values():
        for n, (labels, _) in enumerate(family.items()):
            family.set(labels, n * 1.5)
    for family in store.histograms.values():
        for n, labels in enumerate(list(family.children)):
            family.observe(labels, 0.001 * n)
    return store


def peer(store):
    """Return the same series held by prometheus_client."""
    made = CollectorRegistry()
    for family in filter(store.children, FAMILIES):
        more = {"buckets": family.buckets} if family.kind is Kind.HISTOGRAM else {}
        name = family.name.removesuffix("_total")
        kind = KINDS[family.kind](name, family.help, family.labels, registry=made, **more)
        children = store.children(family)
        if family.kind is Kind.HISTOGRAM:
            for labels, numbers in children.children.items():
                child = kind.labels(*labels) if labels else kind
                for bucket, count in zip(child._buckets, numbers, strict=False):
                    bucket.inc(count)
                child._sum.inc(numbers[-1])
            continue
        for labels, value in children.items():
            child = kind.labels(*labels) if labels else kind
            (child.inc if family.kind is Kind.COUNTER else child.set)(value)
    return made


def parsed(text):
    """Return all samples; an empty label is one that is not there."""
    return {
        (sample.name, *sorted((k, v) for k, v in sample.labels.items() if v)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def spent(act):
    """Return the CPU ms of *act*, the median of some."""
    found = []
    for _ in range(SCRAPES):
        began = time.process_time()
        act()
        found.append(1000 * (time.process_time() - began))
    return median(found)


def whole(store):
    """Scrape as the server does: in pieces, each compressed; return the sizes."""
    packer, size, packed = zlib.compressobj(1, wbits=31), 0, 0
    for piece in pieces(store, openmetrics=False):
        encoded = piece.encode()
        size, packed = size + len(encoded), packed + len(packer.compress(encoded))
    return size, packed + len(packer.flush())


def longest(store):
    """
    Return the CPU ms that a scrape keeps the event loop from its other work at most.

    Not by the wall's clock: on a shared machine that shows others' work.
    """
    found = []
    for _ in range(SCRAPES):
        packer, worst, began = zlib.compressobj(1, wbits=31), 0.0, time.thread_time()
        for piece in pieces(store, openmetrics=False):
            packer.compress(piece.encode())
            now = time.thread_time()
            worst, began = max(worst, now - began), now
        found.append(1000 * worst)
    return median(found), max(found)


def main():
    """Measure and print."""
    bars = Bars()
    prometheus_client.disable_created_metrics()
    print(f"scrape: {machine()}, prometheus_client {version()}; CPU ms, medians of {SCRAPES}")
    for wanted in SIZES:
        store = held(wanted)
        theirs = peer(store)
        gc.freeze()
        ours = parsed("".join(pieces(store, openmetrics=False)))
        same = ours == parsed(generate_latest(theirs).decode())
        bars.show(f"{len(ours):,} series read alike", str(same), "True", well=same)
        text = spent(lambda held=store: [*pieces(held, openmetrics=False)])
        packed = spent(partial(whole, store))
        plain = spent(partial(generate_latest, theirs))
        size, small = whole(store)
        usual, most = longest(store)
        print(
            f"  text {text:.1f}, with gzip {packed:.1f}, prometheus_client {plain:.1f} "
            f"({plain / text:.1f}x) in one go; {size:,} bytes, gzip {small:,}; "
            f"longest hold-up {usual:.2f}, at most {most:.2f}"
        )
        # prometheus_client renders everything in one step, and holds the loop for all of it.
        bars.ratio("  CPU with gzip, beside prometheus_client", packed, plain, at_most=0.25)
        bars.ratio("  longest hold-up, beside prometheus_client", usual, plain, at_most=0.1)
    bars.end()


def version():
    """Return the version of prometheus_client."""
    return metadata.version("prometheus_client")


if __name__ == "__main__":
    main()
