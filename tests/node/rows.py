"""The rows of the table: what nginx answered, what was counted, and what was told to be missing."""

import json
import math
import os
import re
import time
from datetime import datetime
from pathlib import Path

from tests.node.cluster import answered
from tests.node.kube import until
from tests.node.pods import Totals

GAP = 'event="log lines may be missing"'
FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')
LOCAL = {"source_cluster": "cluster1"}
OUTSIDE = {"source_cluster": "external"}
AGAIN = 10.0
MARGIN = 1.0
"""Seconds between the moment of a log line and that of the answer, at most."""
REPORT = os.environ.get("NODE_REPORT")
"""The folder for the table, and for what the exporters logged meanwhile."""


class Row:
    """
    Requests that are sent while something happens; enter to begin.

    Args:
        cluster: With exporters.
        title: What happens.
        labels: Of the requests that are counted.
    """

    def __init__(self, cluster, title, **labels):
        self.cluster, self.title, self.labels = cluster, title, labels or LOCAL
        self.totals, self.begun = Totals(cluster), time.time()

    def __enter__(self):
        self.cluster.hold_messages()
        self.totals.__enter__()
        return self

    def __exit__(self, *_):
        self.totals.__exit__()

    def send(self, count, rate, **where):
        """Begin to send; the requests are under way when this returns."""
        self.client = self.cluster.start_client(count, rate, **where)

    def under_way(self, count=200):
        """Wait until so many of the requests are counted."""
        until(lambda: self.counted >= count, f"{count} requests are counted")

    @property
    def counted(self):
        return self.totals.added(**self.labels)

    def all_counted(self):
        """Wait until as many requests are counted as were answered; return how many were."""
        moments = answered(self.client)
        try:
            until(lambda: self.counted >= len(moments), f"{len(moments)} requests are counted")
        except AssertionError as error:
            self.write(len(moments), "requests are missing")
            msg = f"{error}, but {self.counted}: {self.totals.requests()}"
            raise AssertionError(msg) from error
        # What is counted twice would come now.
        self.caught_up()
        self.write(len(moments), "")
        return len(moments)

    def all_counted_or_told(self):
        """Wait until the log was read; return what was answered, and the part of it in gaps."""
        moments = answered(self.client)
        self.caught_up()
        messages = self.cluster.messages(self.begun)
        seconds = self.totals.added("clusterset_exporter_log_gap_seconds_total")
        counted = self.totals.added("clusterset_exporter_log_gaps_total")
        assert counted == len(gaps_in(messages)), (counted, messages)
        inside = in_gaps(moments, messages)
        told = f"a gap of {seconds:.0f} s, {inside:,} of them in it" if inside else ""
        self.write(len(moments), told)
        return len(moments), inside

    def caught_up(self):
        """Wait until a request that is sent now is counted, so all lines before it were read."""
        before, sent = self.totals.added(**OUTSIDE), -math.inf

        def counted():
            nonlocal sent
            # One that came while nobody followed may be in a gap.
            if time.monotonic() - sent > AGAIN:
                self.cluster.ask_from_outside()
                sent = time.monotonic()
            return self.totals.added(**OUTSIDE) > before

        until(counted, "a request that was sent last is counted")

    def write(self, sent, told):
        """Write the row, and what the exporters logged while it was measured."""
        texts = [text for _, text in self.cluster.messages(self.begun)]
        write(self.title, sent, self.counted, told, texts, failed=self.client.failed)


def gaps_in(messages):
    """Return the gaps that were logged, from and to, in unix seconds."""
    found = [dict(FIELD.findall(text)) for _, text in messages if GAP in text]
    return [(_unix(each["from"]), _unix(each["to"])) for each in found]


def in_gaps(moments, messages):
    """Return how many of these moments are in gaps that were logged."""
    gaps = gaps_in(messages)
    return sum(any(a - MARGIN <= at <= b + MARGIN for a, b in gaps) for at in moments)


def write(title, sent, counted, told, messages, graph=None, failed=None):
    """Write a row to the report, if one is wanted; *failed* is why how many were not answered."""
    if REPORT is None:
        return
    row = {"title": title, "answered": sent, "counted": counted, "told": told, "graph": graph}
    row["failed"] = failed or {}
    with (Path(REPORT) / "rows.jsonl").open("a") as file:
        file.write(json.dumps(row | {"messages": messages}) + "\n")


def _unix(text):
    return datetime.fromisoformat(text).timestamp()
