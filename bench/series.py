"""
How many series services bring, and what they cost, beside the series of before decision 15.

Both sets of series are held by the same store and rendered by the same code, so that only the
series differ. Those of before are expanded from `series-before.txt`.
"""

import gc
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from statistics import median

from measure import Bars, machine

from exporter.metrics import families
from exporter.metrics.exposition import pieces
from exporter.metrics.families import FAMILIES
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import Cluster, Export, Inventory, Port, Service, ServiceName
from exporter.model.probes import Lookup, Vantage
from exporter.model.verdicts import Mode, Policy, ServiceView

BEFORE = Path(__file__).parent / "series-before.txt"
CLUSTERS = [f"c{n}" for n in range(10)]
LOCAL = CLUSTERS[0]
LOOKUPS = ((Vantage.RESOLVER, Lookup.A), (Vantage.RESOLVER, Lookup.CLIENT))
LIMIT = 1_000_000
SCRAPES = 21
WORDS = {"EACH": CLUSTERS, "OTHER": CLUSTERS[1:], "-": [""]}


def names(number):
    """Return the names of *number* services."""
    return [ServiceName("shop", sys.intern(f"cart-{n}")) for n in range(number)]


def inventory(number):
    """Return an inventory in which each cluster exports each service."""
    exports = tuple(Export(cluster=each, addresses=(), ready=True) for each in CLUSTERS)
    services = {
        name: Service(name=name, ports=(Port(name="http", port=80),), exports=exports)
        for name in names(number)
    }
    clusters = {each: Cluster(id=each) for each in CLUSTERS}
    return Inventory(local=LOCAL, clusters=clusters, services=services)


def now(number):
    """Return a store with what *number* services bring before anything has happened to them."""
    found = inventory(number)
    store = SeriesStore(LIMIT)
    metrics = Metrics(store, LOCAL)
    metrics.configure(pinned=True, lookups=LOOKUPS, logs=True, signed=True)
    metrics.set_inventory(found, found.services.keys())
    for service in found.services.values():
        metrics.show(
            ServiceView(
                service=service,
                policy=Policy.LOCAL,
                mode=Mode.LOCAL,
                since=None,
                serving=LOCAL,
                expected=frozenset({LOCAL}),
                standbys=frozenset(),
                hazards=frozenset(),
                pinned={},
                plain=None,
            )
        )
    return store


def before(number):
    """Return a store with the series that *number* services brought before."""
    by_name = {family.name: family for family in FAMILIES}
    store = SeriesStore(LIMIT)
    # The same for both: what has no labels, and what belongs to clusters.
    metrics = Metrics(store, LOCAL)
    metrics.set_inventory(inventory(0), ())
    for total in (families.FORGED, families.NOT_MADE):  # they came later
        store.series[total].drop(())
    same = {}
    for row in BEFORE.read_text().splitlines():
        if row.startswith("#"):
            continue
        name, *values = map(sys.intern, row.split())
        children = store.children(by_name[name])
        for labels in expanded(values):
            for service in names(number) if "SERVICE" in labels else [None]:
                mine = tuple(service.name if each == "SERVICE" else each for each in labels)
                # Series with equal labels shared one tuple then, too.
                children.init_to_zero(same.setdefault(mine, mine))
    return store


def expanded(values):
    """Yield the label values that a row stands for."""
    if not values:
        yield ()
        return
    first, *rest = values
    for each in WORDS.get(first, [first]):
        for more in expanded(rest):
            yield (each, *more)


def size(store):
    """Return the number of samples."""
    return sum(len(store.children(family)) for family in FAMILIES)


def of_services(store):
    """Return the number of samples that have the label of a service."""
    label = "destination_service_name"
    return sum(len(store.children(family)) for family in FAMILIES if label in family.labels)


def memory(make, number):
    """Return the KiB that the store of *number* services takes."""
    gc.collect()
    tracemalloc.start()
    store = make(number)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert store.budget.dropped == 0
    return held / 1024


def scraped(store):
    """Return the CPU ms of one scrape, as the server makes it: in pieces, each compressed."""
    packer, began = zlib.compressobj(1, wbits=31), time.process_time()
    for piece in pieces(store, openmetrics=False):
        packer.compress(piece.encode())
    packer.flush()
    return 1000 * (time.process_time() - began)


def scrapes(number):
    """Return the CPU ms of a scrape, now and before: medians of rounds in turns."""
    stores = now(number), before(number)
    gc.freeze()
    rounds = [[scraped(store) for store in stores] for _ in range(SCRAPES)]
    return [median(each) for each in zip(*rounds, strict=True)]


def main():
    """Measure and print."""
    bars = Bars()
    print(f"series: {machine()}; CPU ms, medians of {SCRAPES}")
    few = of_services(now(1))
    bars.show("samples of one service in ten clusters", f"{few}", "< 200", well=few < 200)
    bars.ratio("  beside those of before", few, of_services(before(1)))
    for number, most in ((1, None), (100, 0.4)):
        ours, theirs = scrapes(number)
        print(
            f"  {number} services in ten clusters: {size(now(number)):,} and "
            f"{size(before(number)):,} samples, a scrape {ours:.2f} and {theirs:.2f}"
        )
        bars.ratio("  a scrape, beside that of before", ours, theirs, at_most=most)
        held = memory(now, number), memory(before, number)
        print(f"  memory {held[0]:,.0f} and {held[1]:,.0f} KiB")
        bars.ratio("  memory, beside that of before", *held, at_most=most)
    bars.end()


if __name__ == "__main__":
    main()
