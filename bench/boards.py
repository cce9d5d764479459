"""
How long the boards' queries take over 10 clusters, 200 services and 24 hours.

The bench makes up samples, one per minute. It makes the series that a board reads over all
services for all of them. It makes the series that only the board of one service reads for a few
services. The others would add only an index look-up of the same cost.
"""

import itertools
import math
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.boards import BOARDS, panels
from tests.fakes.crowd import END, EVERY, Crowd, blocks_of, served
from tests.fakes.grafana import Prometheus, View

CROWD = Crowd(
    clusters=[f"cluster-{n}" for n in range(10)],
    services=[(f"team-{n % 20}", f"service-{n}") for n in range(200)],
)
TRIES = 3
RANGES = {"3h": 3 * 3600, "24h": 24 * 3600}


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


def measure(url):
    """Print how long the queries of each board take."""
    for (uid, board), (word, span) in itertools.product(BOARDS.items(), RANGES.items()):
        view = View(board, Prometheus(url), start=END - span, end=END - EVERY, scrape=EVERY)
        took = sorted((spent, title) for title, spent in timed(view))
        p95 = took[math.ceil(0.95 * len(took)) - 1][0]
        slowest, title = took[-1]
        told = f"p95 {p95:.3f} s, slowest {slowest:.3f} s ({title})"
        print(f"{uid:20} {word:>4}: {len(took)} queries, {told}", flush=True)


def main():
    folder = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else Path(tempfile.mkdtemp(prefix="bench-dashboards-"))
    )
    if not (folder / "data").exists():
        begun = time.perf_counter()
        number = blocks_of(folder, CROWD)
        samples = number * CROWD.hours * 3600 // EVERY
        spent = time.perf_counter() - begun
        print(f"{number:,} series, {samples:,} samples, made in {spent:.0f} s", flush=True)
    with served(folder) as url:
        measure(url)
    if len(sys.argv) == 1:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
