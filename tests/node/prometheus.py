"""A real Prometheus that scrapes the exporters' pods."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from itertools import pairwise

import yaml

from tests.e2e.servers import free_ports
from tests.fakes.tools import need
from tests.node.cluster import ROOT
from tests.node.kube import until

INTERVAL = 30
COUNTER = 'clusterset_requests_total{source_cluster="cluster1"}'
RULES = ROOT / "dashboards" / "generated" / "rules" / "local.yaml"
PICTURE_STEP = 5


class Prometheus:
    """
    Scrapes each 30 seconds; enter to start it.

    Args:
        cluster: Whose pods it scrapes.
    """

    def __init__(self, cluster):
        self._folder, self._cluster = cluster.folder / "prometheus", cluster
        self._ended, self.begun = threading.Event(), time.time()
        self._thread = threading.Thread(target=self._keep_discovering, daemon=True)
        (port,) = free_ports(1)
        self._address = f"127.0.0.1:{port}"

    def __enter__(self):
        self._folder.mkdir()
        self._discover()
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        command = [
            need("prometheus"),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(10)
        self._process.kill()
        self._process.wait(10)

    def _keep_discovering(self):
        while not self._ended.wait(0.5):
            with suppress(OSError, AssertionError):
                self._discover()

    def _discover(self):
        """Name the pods as Prometheus' own discovery does, which Debian leaves out: while there."""
        pods = self._cluster.pods(ending=True)
        found = [{"targets": [f"{pod.address}:9877"], "labels": {"pod": pod.name}} for pod in pods]
        new = self._folder / "targets.new"
        new.write_text(json.dumps(found))
        new.rename(self._folder / "targets.json")

    def _configuration(self):
        every = f"{INTERVAL}s"
        files = [{"files": [str(self._folder / "targets.json")]}]
        return {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "pods", "file_sd_configs": files}],
        }

    def ask(self, what, **query):
        """Return the result of a query; an empty one while Prometheus starts."""
        url = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=10) as reply:
            return json.load(reply)["data"]["result"]
        return []

    def scraped(self, since):
        """Wait until each exporter that does not end was scraped after *since*."""

        def done():
            found = self.ask("query", query="timestamp(up) * (up == 1)")
            times = {each["metric"]["pod"]: float(each["value"][1]) for each in found}
            pods = self._cluster.pods()
            return pods and all(times.get(pod.name, 0.0) > since for pod in pods)

        until(done, "all exporters were scraped")

    def added(self, since):
        """
        Return what the counters grew by after *since*, sample by sample.

        What a series had counted when Prometheus saw it first is missing, as in `increase()`.
        """
        window = f"{int(time.time() - since) + 2 * INTERVAL}s"
        total = 0.0
        for each in self.ask("query", query=f"{COUNTER}[{window}]"):
            samples = [(float(at), float(value)) for at, value in each["values"]]
            for (_, before), (at, after) in pairwise(samples):
                if at > since:
                    total += after - before if after >= before else after
        return total

    def increase(self, since):
        """Return what `increase()` says, which stretches the samples of a series a little."""
        window = f"{int(time.time() - since)}s"
        (found,) = self.ask("query", query=f"sum(increase({COUNTER}[{window}]))")
        return float(found["value"][1])

    def graph(self, since):
        """Return the rate that each pod counted, as lists of times and values by pod."""
        query = f"sum by (pod) (rate({COUNTER}[{2 * INTERVAL + 5}s]))"
        times = {"start": since - INTERVAL, "end": time.time(), "step": PICTURE_STEP}
        found = self.ask("query_range", query=query, **times)
        return {each["metric"]["pod"]: each["values"] for each in found}
