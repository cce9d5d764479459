"""The exporters' pods, and what they expose."""

import json
import re
import threading
import urllib.request
from contextlib import suppress
from http.client import HTTPException

REQUESTS = "clusterset_requests_total{"
SAMPLE = re.compile(r"(\w+)\{?([^}]*)\}? (\S+)")


class Pod:
    """One exporter's pod."""

    def __init__(self, found):
        self.name, self.namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        self.address = found["status"].get("podIP", "")
        self.uid = found["metadata"]["uid"]
        statuses = found["status"].get("containerStatuses") or [{}]
        self.restarts = statuses[0].get("restartCount", 0)

    def metrics(self):
        return self._asked("/metrics")

    def status(self):
        return json.loads(self._asked("/api/v1/status"))

    def _asked(self, path):
        with urllib.request.urlopen(f"http://{self.address}:9877{path}", timeout=5) as reply:
            return reply.read().decode()

    def value(self, name, **labels):
        """Return the sum of the samples of a series that have these labels."""
        return read(self.metrics(), name, **labels)

    def leads(self):
        """Return whether it says that it leads; one that does not answer does not."""
        try:
            return self.value("clusterset_exporter_leader") == 1
        except (OSError, HTTPException):
            return False


def read(text, name, **labels):
    """Return the sum of the samples of a series that have these labels."""
    total = 0.0
    for line in text.splitlines():
        sample = SAMPLE.fullmatch(line)
        if sample and sample[1] == name:
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', sample[2]))
            if all(pairs.get(key) == value for key, value in labels.items()):
                total += float(sample[3])
    return total


class Totals:
    """
    What a Prometheus with a very short interval would have counted, by replica and life.

    A counter that begins anew belongs to another life, so nothing is lost at a restart but what
    was counted after the last scrape before it.
    """

    def __init__(self, cluster):
        self._cluster = cluster
        self._first, self._last, self._ended = {}, {}, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._look()
        self._first = dict(self._last)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(10)

    def _run(self):
        while not self._ended.wait(0.05):
            self._look()

    def _look(self):
        # While the API server is away, the pods are where they were.
        with suppress(OSError, AssertionError):
            self._pods = self._cluster.pods(ending=True)
        for pod in self._pods:
            # A pod that ends may do so in the middle of its answer.
            with suppress(OSError, HTTPException):
                text = pod.metrics()
                self._last[pod.name, read(text, "process_start_time_seconds")] = text

    def added(self, name="clusterset_requests_total", **labels):
        """Return what was added to the samples of a series that have these labels."""
        lives = dict(self._last)
        first = sum(read(text, name, **labels) for text in self._first.values())
        return sum(read(text, name, **labels) for text in lives.values()) - first

    def requests(self):
        """Return which requests each pod has counted, for somebody who looks for some."""
        lines = (line for text in self._last.values() for line in text.splitlines())
        return [each for each in lines if each.startswith(REQUESTS) and not each.endswith(" 0")]
