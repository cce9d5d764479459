"""A member cluster of one node, with the exporter's own image and chart on it, and an nginx."""

import gzip
import json
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import yaml

from tests.fakes.charts import CHART, helm
from tests.fakes.members import CUSTOM, PLURALS
from tests.fakes.objects import Objects
from tests.fakes.tools import need
from tests.node.images import EXPORTER, NGINX
from tests.node.kube import LIMIT, Kube, until
from tests.node.pods import Pod
from tests.node.servers import STRANGER

ROOT = Path(__file__).parents[2]
RELEASE = "clusterset-exporter"
LOGS = f"{RELEASE}*/exporter/*.log*"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE}/leases/{RELEASE}"
NGINX_DEPLOYMENT = "/apis/apps/v1/namespaces/nginx-test/deployments/nginx"
CLIENT = "10.1.0.250"
VALUES = {
    "image": {"repository": EXPORTER, "tag": "node", "pullPolicy": "Never"},
    "cluster": "cluster1",
    "config": {"probe": {"interval": "2s"}},
}
NODE_LOGS = {"nodeLogs": {"enabled": True, "tolerations": []}}
NODE_LOGS_NAME = f"{RELEASE}-node-logs"


class Cluster:
    """A member cluster of one node."""

    def __init__(self, node):
        self.node, self.folder = node, node.directory
        self.kube = Kube(node.control.url, node.directory / "ca.crt")
        self.scene, self.clients = Objects("scene"), []
        self.namespaces = [RELEASE]
        """Where the exporters' pods are."""
        self._held = []

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
        self.begin_upgrade(**values)
        self.all_ready(values.get("replicas", 2))

    def begin_upgrade(self, **values):
        """Have Helm change the release, and return before its pods are replaced."""
        self.helm("upgrade", "--install", RELEASE, str(CHART), values=values)
        # Pods of node logs that end are still there for a while.
        if "nodeLogs" in values and NODE_LOGS_NAME not in self.namespaces:
            self.namespaces.append(NODE_LOGS_NAME)

    def pods(self, *, ending=False):
        """Return the exporter's pods that have an address, and those that are ending if wanted."""
        found = [pod for each in self.namespaces for pod in self.kube.items(pods_in(each))]
        alive = [each for each in found if ending or "deletionTimestamp" not in each["metadata"]]
        return [Pod(each) for each in alive if each["status"].get("podIP")]

    def processes_of(self, pod):
        """Return the numbers of the processes in a container of *pod*, the first one first."""
        numbers = []
        for path in Path("/proc").glob("[0-9]*/cgroup"):
            with suppress(OSError):
                command = (path.parent / "cmdline").read_bytes()
                if pod.uid in path.read_text() and b"/pause" not in command:
                    numbers.append(int(path.parent.name))
        return sorted(numbers)

    def restart_nginx(self):
        """Roll the nginx out again."""
        about = {"annotations": {"restarted": str(time.time())}}
        self.kube.patch(NGINX_DEPLOYMENT, {"spec": {"template": {"metadata": about}}})

    def nginx_pods(self):
        """Return the pods of nginx that are not ending."""
        found = self.kube.items("/api/v1/namespaces/nginx-test/pods?labelSelector=app%3Dnginx")
        return [Pod(each) for each in found if "deletionTimestamp" not in each["metadata"]]

    def restarted(self, pod):
        """Return whether the container of *pod* was restarted since it was looked up, and runs."""
        path = f"{pods_in(pod.namespace)}/{pod.name}"
        (status,) = self.kube.get(path)["status"]["containerStatuses"]
        return status["restartCount"] > pod.restarts and "running" in status["state"]

    def nginx_ready(self):
        """Wait until one nginx of the newest template is ready, and no other one is left."""
        until(lambda: self._is_rolled_out(NGINX_DEPLOYMENT, 1), "one nginx is ready")
        until(lambda: len(self.kube.items(pods_in("nginx-test"))) == 1, "no other nginx is left")

    def _is_rolled_out(self, path, count):
        found = self.kube.get(path)
        status = found["status"]
        seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        counts = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "readyReplicas")]
        return seen and counts == [count] * 3

    def all_ready(self, count=2):
        """Wait until *count* pods of the exporter's newest template are ready, and no others."""
        path = f"/apis/apps/v1/namespaces/{RELEASE}/deployments/{RELEASE}"

        def ready():
            pods = self.kube.items(pods_in(RELEASE))
            return self._is_rolled_out(path, count) and len(pods) == count

        until(ready, f"{count} exporters are ready", 2 * LIMIT)

    def node_logs_ready(self):
        """Wait until the one pod that reads the node's files is ready, and no older one is left."""
        path = f"/apis/apps/v1/namespaces/{NODE_LOGS_NAME}/daemonsets/{NODE_LOGS_NAME}"

        def ready():
            found = self.kube.get(path)
            status = found["status"]
            seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            pods = self.kube.items(pods_in(NODE_LOGS_NAME))
            counts = [status.get(k, 0) for k in ("updatedNumberScheduled", "numberReady")]
            return seen and counts == [1, 1] and len(pods) == 1

        until(ready, "the pod of node logs is ready")

    def leader(self):
        """Return the pod that holds the Lease; None if nobody does."""
        status, lease = self.kube.call("GET", LEASE)
        holder = lease["spec"].get("holderIdentity") or "" if status == 200 else ""
        name = holder.rpartition("_")[0]
        return next((pod for pod in self.pods() if pod.name == name), None)

    def messages(self, since):
        """
        Return what the exporters logged since a moment in unix seconds: times and texts.

        It is read from the node, because the API server may be away and pods may be gone.
        """
        found = set()
        for path in Path("/var/log/pods").glob(LOGS):
            opened = gzip.open if path.suffix == ".gz" else open
            with suppress(FileNotFoundError), opened(path, "rt", errors="replace") as file:
                found |= set(file)
        for file in self._held:
            file.seek(0)
            found |= set(file)
        split = [each.rstrip("\n").split(" ", 3) for each in found]
        lines = [(datetime.fromisoformat(parts[0]).timestamp(), parts[3]) for parts in split]
        return sorted(each for each in lines if each[0] >= since)

    def hold_messages(self):
        """Open what the exporters log now, because the files of a pod go with it."""
        self.let_go_of_messages()
        paths = Path("/var/log/pods").glob(LOGS)
        self._held = [each.open(errors="replace") for each in paths if each.suffix == ".log"]

    def let_go_of_messages(self):
        while self._held:
            self._held.pop().close()

    def page_problems(self):
        """Return what the pages of the exporters call a problem."""
        return [each["message"] for pod in self.pods() for each in pod.status()["problems"]]

    def renewed(self):
        """Return when the Lease was renewed last, in unix seconds."""
        return datetime.fromisoformat(self.kube.get(LEASE)["spec"]["renewTime"]).timestamp()

    def leads(self):
        return until(self.leader, "an exporter leads")

    def start_client(self, count, rate, *source, name="client", address="100.1.0.10", port=80):
        """Begin to send requests from a pod's address; `answered` waits for the end."""
        command = [sys.executable, "-m", "tests.node.client", address, port, count, rate, *source]
        client = subprocess.Popen(
            [need("ip"), "netns", "exec", name, *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.clients.append(client)
        return client

    def ask_from_outside(self):
        """Send one request to the nginx from an address that is in no cluster."""
        (pod,) = self.nginx_pods()
        where = {"name": "other", "address": pod.address, "port": 8080}
        return answered(self.start_client(1, 1, STRANGER, **where))

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


def pods_in(namespace):
    """Return where the API server has the pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def answered(client):
    """Wait for the end of a client; return when each request was answered, in unix seconds."""
    said, _ = client.communicate(timeout=300)
    told = json.loads(said)
    client.failed = told["failed"]
    return told["answered"]


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
