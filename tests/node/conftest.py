"""A node with the exporter's own image and chart on it, and an nginx that it watches."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.fakes.charts import CHART, helm
from tests.fakes.members import CUSTOM, PLURALS
from tests.fakes.objects import Objects
from tests.fakes.tools import need
from tests.node.images import EXPORTER, NGINX
from tests.node.kube import Kube, until
from tests.node.servers import Node

STATE = os.environ.get("NODE_STATE")
ROOT = Path(__file__).parents[2]
RELEASE = "clusterset-exporter"
PODS = f"/api/v1/namespaces/{RELEASE}/pods"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE}/leases/{RELEASE}"
CLIENT = "10.1.0.250"
VALUES = {
    "image": {"repository": EXPORTER, "tag": "node", "pullPolicy": "Never"},
    "cluster": "cluster1",
    "config": {"probe": {"interval": "2s"}},
    "logLevel": "debug",
}
SAMPLE = re.compile(r"(\w+)\{?([^}]*)\}? (\S+)")


class Pod:
    """One exporter's pod."""

    def __init__(self, found):
        self.name = found["metadata"]["name"]
        self.address = found["status"].get("podIP", "")
        self.uid = found["metadata"]["uid"]

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.address}:9877/metrics", timeout=5) as reply:
            return reply.read().decode()

    def value(self, name, **labels):
        """Return the sum of the samples of a series that have these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            sample = SAMPLE.fullmatch(line)
            if sample and sample[1] == name:
                pairs = dict(re.findall(r'(\w+)="([^"]*)"', sample[2]))
                if all(pairs.get(key) == value for key, value in labels.items()):
                    total += float(sample[3])
        return total


class Cluster:
    """A member cluster of one node."""

    def __init__(self, node):
        self.node, self.folder = node, node.directory
        self.kube = Kube(node.control.url, node.directory / "ca.crt")
        self.scene = Objects("scene")

    def fill(self):
        """Give the API server what Submariner and Karmada would, and the nginx."""
        for kind in CUSTOM:
            group, version, plural = PLURALS[kind]
            self.kube.install(group, version, plural, kind)
        for name in ("nginx-test", "submariner-operator", RELEASE):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            about = {"name": name, "labels": labels if name == RELEASE else {}}
            self.kube.make({"apiVersion": "v1", "kind": "Namespace", "metadata": about})
        self.scene.remove("Node", "worker")
        self.scene.remove("EndpointSlice", "nginx-k8s")
        self.scene.get("Service", "nginx")["spec"]["selector"] = {"app": "nginx"}
        for each in self.scene.all:
            self.kube.make(each)
        self.kube.make(nginx())

    def helm(self, *arguments, values=None):
        """Run helm; return what it prints."""
        command = [helm(), "--kubeconfig", self.folder / "admin.json", "-n", RELEASE, *arguments]
        given = () if values is None else ("-f", "-")
        done = subprocess.run(
            [*command, *given],
            input=None if values is None else yaml.safe_dump(VALUES | values),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, **values):
        """Install the chart, or change its values; wait until all its pods are ready."""
        self.helm("upgrade", "--install", RELEASE, str(CHART), values=values)
        self.all_ready(values.get("replicas", 2))

    def pods(self):
        """Return the exporter's pods that are not ending, and have an address."""
        found = (each for each in self.kube.items(PODS))
        alive = [each for each in found if "deletionTimestamp" not in each["metadata"]]
        return [Pod(each) for each in alive if each["status"].get("podIP")]

    def all_ready(self, count=2):
        """Wait until *count* pods of the exporter's newest template are ready, and no others."""
        path = f"/apis/apps/v1/namespaces/{RELEASE}/deployments/{RELEASE}"

        def ready():
            found = self.kube.get(path)
            status = found["status"]
            seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            counts = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "readyReplicas")]
            return seen and counts == [count] * 3 and len(self.kube.items(PODS)) == count

        until(ready, f"{count} exporters are ready")

    def leader(self):
        """Return the pod that holds the Lease; None if nobody does."""
        status, lease = self.kube.call("GET", LEASE)
        holder = lease["spec"].get("holderIdentity") or "" if status == 200 else ""
        name = holder.rpartition("_")[0]
        return next((pod for pod in self.pods() if pod.name == name), None)

    def leads(self):
        return until(self.leader, "an exporter leads")

    def counted(self, pods=None, **labels):
        """Return the client requests that exporters have counted."""
        labels = labels or {"source_cluster": "cluster1"}
        pods = self.pods() if pods is None else pods
        return sum(pod.value("clusterset_requests_total", **labels) for pod in pods)

    def start_client(self, count, rate, *, name="client", address="100.1.0.10", port=80):
        """Begin to send requests from a pod's address; `answered` waits for the end."""
        command = [sys.executable, "-m", "tests.node.client", address, port, count, rate]
        return subprocess.Popen(
            [need("ip"), "netns", "exec", name, *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def join_client(self):
        """Give a client an address among the pods."""
        for line in f"""
            netns add client
            link add to-client type veth peer name eth0 netns client
            link set to-client master cni0 up
            -n client link set lo up
            -n client link set eth0 up
            -n client addr add {CLIENT}/24 dev eth0
            -n client route add default via 10.1.0.1
        """.split("\n"):
            if line.strip():
                subprocess.run([need("ip"), *line.split()], check=True)


def answered(client):
    """Wait for the end of a client; return how many requests were answered."""
    said, _ = client.communicate(timeout=300)
    return json.loads(said)["answered"]


def nginx(replicas=1):
    """Return the Deployment behind the Service."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "nginx",
        "image": NGINX,
        "imagePullPolicy": "Never",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": security,
    }
    labels = {"app": "nginx"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nginx", "namespace": "nginx-test", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.fixture(scope="session")
def node():
    """Return the node; it needs the namespaces of `run`."""
    if STATE is None:
        pytest.skip("these tests run in the namespaces of tests/node/run; see make e2e-node")
    folder = Path(STATE) / "node"
    folder.mkdir()
    with Node(folder) as made:
        for archive in sorted(Path(os.environ["NODE_IMAGES"]).glob("*.tar")):
            made.load(archive)
        yield made


@pytest.fixture(scope="session")
def cluster(node):
    """Return the cluster with its nginx ready; no exporter runs in it yet."""
    made = Cluster(node)
    made.fill()
    agents = [sys.executable, "-m", "tests.node.agents", made.kube.url, node.directory / "ca.crt"]
    other = [need("ip"), "netns", "exec", "other", sys.executable, "-m", "http.server", "80"]
    with ExitStack() as stack:
        log = stack.enter_context((node.directory / "agents.log").open("w"))
        for command in ([*agents, node.directory], [*other, "--bind", "100.2.0.10"]):
            running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            stack.callback(running.wait, 10)
            stack.callback(running.kill)
        status = "/apis/apps/v1/namespaces/nginx-test/deployments/nginx"
        until(lambda: made.kube.get(status)["status"].get("readyReplicas") == 1, "nginx is ready")
        made.join_client()
        yield made


@pytest.fixture(scope="session")
def exporters(cluster):
    """Return the cluster with two exporters ready, one of which leads."""
    cluster.install()
    cluster.leads()
    return cluster
