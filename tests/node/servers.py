"""The programs of a Kubernetes node and its control plane, in the namespaces that `run` made."""

import json
import os
import subprocess
import time
from pathlib import Path

from tests.e2e.servers import ADMIN, Servers
from tests.fakes import certs
from tests.fakes.tools import need

NODE = "172.18.0.3"
"""The node's address, which the scene has for its gateway."""
OTHER = "172.18.0.5"
"""The address of the machine that plays the other cluster."""
PODS, SERVICES = "10.1.0.0/16", "100.1.0.0/16"
OTHER_PODS = "10.2.0.0/16"
NAME_SERVER = "172.18.0.53"
STRANGER = "203.0.113.9"
"""An address of no cluster, on the same machine."""
NAMES = ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")
TOOLS = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clusterset-exporter/tools"
)
VERSION = "v1.34.4"
CONTAINERD = """\
version = 2
root = "{at}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{at}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
CNI = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.1.0.0/24", "rangeEnd": "10.1.0.200"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "clusterDNS": [NAME_SERVER],
    "clusterDomain": "cluster.local",
    "evictionHard": {"memory.available": "0%"},
    "imageGCHighThresholdPercent": 100,
    "containerLogMaxSize": "100Ki",
    "containerLogMaxFiles": 3,
    "containerLogMonitorInterval": "3s",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "resolvConf": "",
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
    "authorization": {"mode": "Webhook"},
}
PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clusterCIDR": PODS,
    "hostnameOverride": "node",
    "iptables": {"minSyncPeriod": "100ms"},
    "conntrack": {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    },
}


class ControlPlane(Servers):
    """A kube-apiserver on the node's address, and its etcd."""

    names = (NODE, "100.1.0.1", "127.0.0.1", "localhost", "kubernetes.default.svc")

    def __init__(self, directory):
        super().__init__(directory)
        self.port = 6443
        self.url = f"https://{NODE}:{self.port}"

    def _apiserver(self):
        at = self.directory
        replaced = (
            "--bind",
            "--advertise",
            "--secure",
            "--authorization",
            "--disable",
            "--endpoint",
        )
        kept = [each for each in super()._apiserver() if not each.startswith(replaced)]
        return [
            *kept,
            f"--bind-address={NODE}",
            f"--advertise-address={NODE}",
            f"--secure-port={self.port}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--kubelet-client-certificate={at / 'client.crt'}",
            f"--kubelet-client-key={at / 'client.key'}",
        ]


class Node:
    """
    The node: enter to start it; each part can be killed and started again.

    Args:
        directory: For its files.
    """

    def __init__(self, directory):
        self.directory = directory
        self.control = ControlPlane(directory)
        self.processes = {}
        self._commands = {}

    def __enter__(self):
        self._write_files()
        make_network()
        self.control.__enter__()
        try:
            self._start_parts()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.processes)):
            self.kill(name)
        self.control.__exit__()

    def start(self, name):
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(self._commands[name], stdout=log, stderr=log)

    def kill(self, name):
        """End a part as a crash does."""
        self.processes[name].kill()
        self.processes[name].wait(10)

    def log_of(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def load(self, archive):
        """Have containerd know an image."""
        ctr("images", "import", str(archive))

    def _start_parts(self):
        at, program = self.directory, TOOLS / f"kubernetes-node-{VERSION}"
        for name in NAMES:
            (at / name).symlink_to(program)
        config = f"--kubeconfig={at / 'admin.json'}"
        self._commands = {
            "containerd": [need("containerd"), "--config", str(at / "containerd.toml")],
            "kube-controller-manager": [
                str(at / "kube-controller-manager"),
                config,
                f"--authentication-kubeconfig={at / 'admin.json'}",
                f"--authorization-kubeconfig={at / 'admin.json'}",
                "--use-service-account-credentials",
                f"--root-ca-file={at / 'ca.crt'}",
                f"--service-account-private-key-file={at / 'sa.key'}",
                f"--cluster-cidr={PODS}",
                "--allocate-node-cidrs",
                "--leader-elect=false",
                f"--cert-dir={at / 'certs'}",
            ],
            "kube-scheduler": [
                str(at / "kube-scheduler"),
                config,
                f"--authentication-kubeconfig={at / 'admin.json'}",
                f"--authorization-kubeconfig={at / 'admin.json'}",
                "--leader-elect=false",
                f"--cert-dir={at / 'certs'}",
            ],
            "kubelet": [
                str(at / "kubelet"),
                config,
                f"--config={at / 'kubelet.json'}",
                "--hostname-override=node",
                f"--node-ip={NODE}",
                "--root-dir=/var/lib/kubelet",
            ],
            "kube-proxy": [str(at / "kube-proxy"), f"--config={at / 'proxy.json'}"],
        }
        self.start("containerd")
        _until(lambda: Path("/run/containerd/containerd.sock").exists(), "containerd")
        for name in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"):
            self.start(name)

    def _write_files(self):
        at = self.directory
        (at / "cni").mkdir()
        (at / "cni" / "10-pods.conflist").write_text(json.dumps(CNI))
        (at / "containerd.toml").write_text(CONTAINERD.format(at=at, pause="localhost/pause:1"))
        serving = certs.authority().issue_cert(NODE, "node")
        serving.private_key_pem.write_to_path(at / "kubelet.key")
        serving.cert_chain_pems[0].write_to_path(at / "kubelet.crt")
        client = certs.authority().issue_cert(
            "kube-apiserver", common_name="kube-apiserver", organization_name="system:masters"
        )
        client.private_key_pem.write_to_path(at / "client.key")
        client.cert_chain_pems[0].write_to_path(at / "client.crt")
        files = {
            "tlsCertFile": str(at / "kubelet.crt"),
            "tlsPrivateKeyFile": str(at / "kubelet.key"),
        }
        known = KUBELET["authentication"] | {"x509": {"clientCAFile": str(at / "ca.crt")}}
        (at / "kubelet.json").write_text(json.dumps(KUBELET | files | {"authentication": known}))
        connection = {"clientConnection": {"kubeconfig": str(at / "admin.json")}}
        (at / "proxy.json").write_text(json.dumps(PROXY | connection))
        (at / "admin.json").write_text(json.dumps(admin(self.control.url, at / "ca.crt")))


def admin(url, authority):
    """Return a kubeconfig of somebody who may do anything."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": url, "certificate-authority": str(authority)}}
        ],
        "users": [{"name": "u", "user": {"token": ADMIN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def make_network():
    """Give the node its address, and a machine of the other cluster beside it."""
    for line in f"""
        addr add {NODE}/32 dev lo
        addr add {NAME_SERVER}/32 dev lo
        netns add other
        link add to-other type veth peer name to-node netns other
        link set to-other up
        addr add {NODE} peer {OTHER} dev to-other
        -n other link set lo up
        -n other link set to-node up
        -n other addr add {OTHER} peer {NODE} dev to-node
        -n other addr add 10.2.0.5/32 dev lo
        -n other addr add 100.2.0.10/32 dev lo
        -n other addr add {STRANGER}/32 dev lo
        -n other route add default via {NODE} dev to-node src 10.2.0.5
        route add {OTHER_PODS} via {OTHER} dev to-other
        route add 100.2.0.0/16 via {OTHER} dev to-other
        route add {STRANGER}/32 via {OTHER} dev to-other
    """.split("\n"):
        if line.strip():
            subprocess.run([need("ip"), *line.split()], check=True)


def keep_addresses():
    """Let pods of both clusters see each other's addresses, as Submariner's route agents do."""
    for source, target in ((OTHER_PODS, PODS), (PODS, OTHER_PODS)):
        # Before the masquerade of kube-proxy.
        rule = ("-t", "nat", "-I", "POSTROUTING", "1", "-s", source, "-d", target, "-j", "ACCEPT")
        subprocess.run([need("iptables"), *rule], check=True)


def ctr(*arguments):
    command = [need("ctr"), "--address", "/run/containerd/containerd.sock", "-n", "k8s.io"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _until(holds, what, within=60.0):
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"{what} does not start"
        time.sleep(0.05)
