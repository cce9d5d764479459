"""A Karmada control plane of real programs on loopback, with two members, without nodes."""

import json
import os
import subprocess
import time
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.e2e.servers import Servers, free_ports
from tests.fakes import certs
from tests.fakes.apiaccess import ADMIN
from tests.fakes.tools import need

HERE = Path(__file__).parent
MEMBERS = ("k8s-node4", "k8s-node5")
CONTROL = "karmada-apiserver"
LIMIT = 120.0
"""Seconds for anything that takes one or two on a machine that is not busy."""
POLICIES = ("propagationpolicies", "clusterpropagationpolicies", "overridepolicies")
BINDINGS = ("resourcebindings", "clusterresourcebindings")
WEBHOOKS = {
    "mutate": (
        *((name, "policy.karmada.io", ("CREATE", "UPDATE")) for name in POLICIES),
        *((name, "work.karmada.io", ("CREATE",)) for name in BINDINGS),
        ("works", "work.karmada.io", ("CREATE", "UPDATE")),
    ),
    "validate": tuple((name, "policy.karmada.io", ("CREATE", "UPDATE")) for name in POLICIES),
}
"""Those that matter here. The ids that they set say which objects belong together."""


def found(script):
    """Return what *script* finds in the cache; skip the test unless `make e2e-karmada` runs it."""
    if not os.environ.get("REQUIRE_KARMADA"):
        pytest.skip("takes minutes; make e2e-karmada runs it")
    done = subprocess.run([HERE / script, "--find"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"tests/e2e/{script} has not been run")
    return Path(done.stdout.strip())


class ControlPlane(Servers):
    """The API server of Karmada, which passes requests for clusters on to another server."""

    names = ("127.0.0.1", "localhost", "karmada-aggregated-apiserver.karmada-system.svc")

    def _apiserver(self):
        at = self.directory
        return [
            *super()._apiserver(),
            f"--requestheader-client-ca-file={at / 'ca.crt'}",
            f"--proxy-client-cert-file={at / 'server.crt'}",
            f"--proxy-client-key-file={at / 'server.key'}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        ]


class Karmada:
    """Enter to start all; then `kubectl` types commands with a context for each API server."""

    def __init__(self, folder):
        self.folder = folder
        self._programs = found("build-karmada")
        self._controllers = found("../node/build-programs")
        self._stack, self._processes = ExitStack(), []
        self.kubeconfig = folder / "kubeconfig"
        self.servers = {}

    def __enter__(self):
        try:
            for name in (CONTROL, *MEMBERS):
                (self.folder / name).mkdir()
                kind = ControlPlane if name == CONTROL else Servers
                self.servers[name] = self._stack.enter_context(kind(self.folder / name))
            self._write_kubeconfig()
            self._install()
            for member in MEMBERS:
                self.join(member)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for each in reversed(self._processes):
            each.terminate()
        for each in self._processes:
            try:
                each.wait(10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait(10)
        self._stack.close()

    def _write_kubeconfig(self):
        def cluster(server):
            ca = str(server.directory / "ca.crt")
            return {"server": server.url, "certificate-authority": ca}

        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": n, "cluster": cluster(s)} for n, s in self.servers.items()],
            "users": [{"name": "admin", "user": {"token": ADMIN}}],
            "contexts": [
                {"name": n, "context": {"cluster": n, "user": "admin"}} for n in self.servers
            ],
            "current-context": CONTROL,
        }
        self.kubeconfig.write_text(json.dumps(config))

    def _install(self):
        self.crds()
        for name in ("karmada-system", "karmada-cluster"):
            self.kubectl("create", "namespace", name)
        apiserver, *_ = ports = free_ports(5)
        control = self.servers[CONTROL]
        keys = [
            f"--tls-cert-file={control.directory / 'server.crt'}",
            f"--tls-private-key-file={control.directory / 'server.key'}",
        ]
        self._start(
            "karmada-aggregated-apiserver",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            f"--etcd-servers={control.etcd_url}",
            *keys,
            "--bind-address=127.0.0.1",
            f"--secure-port={apiserver}",
        )
        self.apply(*_aggregated(apiserver))
        self.until(lambda: "No resources" in self.kubectl("get", "clusters.cluster.karmada.io"))
        self._start(
            "karmada-webhook",
            f"--secure-port={ports[1]}",
            f"--cert-dir={self._certificates()}",
            "--bind-address=127.0.0.1",
            "--metrics-bind-address=0",
            f"--health-probe-bind-address=127.0.0.1:{ports[2]}",
        )
        self.until(lambda: self._ready(ports[1]))
        self.apply(*_webhooks(ports[1], certs.pem(certs.authority())))
        self._start(
            "karmada-controller-manager",
            "--metrics-bind-address=0",
            f"--health-probe-bind-address=127.0.0.1:{ports[3]}",
            "--leader-elect=false",
            "--cluster-status-update-frequency=3s",
            "--cluster-success-threshold=1s",
        )
        self._start(
            "karmada-scheduler",
            "--metrics-bind-address=0",
            f"--health-probe-bind-address=127.0.0.1:{ports[4]}",
            "--leader-elect=false",
            "--enable-scheduler-estimator=false",
        )
        for name in self.servers:
            self._start(
                f"kube-controller-manager-{name}",
                "--controllers=namespace-controller,garbage-collector-controller",
                "--leader-elect=false",
                "--secure-port=0",
                program=self._controllers,
                context=name,
            )

    def crds(self):
        """Give Karmada's API server Karmada's CRDs, of the module that its programs come from."""
        text = (self._programs.parent / f"{self._programs.name}-crds.yaml").read_text()
        self.kubectl("create", "-f", "-", text=text)

    def _certificates(self):
        folder = self.folder / "webhook"
        folder.mkdir()
        control = self.servers[CONTROL].directory
        for name, source in (("tls.crt", "server.crt"), ("tls.key", "server.key")):
            (folder / name).write_bytes((control / source).read_bytes())
        return folder

    def _ready(self, port):
        url = f"https://127.0.0.1:{port}/readyz/"
        ca = self.servers[CONTROL].directory / "ca.crt"
        command = [need("curl"), "--silent", "--fail", "--cacert", ca, "--output", "/dev/null", url]
        return subprocess.run(command, check=False).returncode == 0

    def _start(self, name, *arguments, program=None, context=CONTROL):
        """Start a program, which the name by which it is called tells apart."""
        folder = self.folder / f"{name}.d"
        folder.mkdir()
        link = folder / name.removesuffix(f"-{context}")
        link.symlink_to(program or self._programs)
        config = json.loads(self.kubeconfig.read_text()) | {"current-context": context}
        (folder / "kubeconfig").write_text(json.dumps(config))
        with (folder / "log").open("wb") as log:
            command = [link, f"--kubeconfig={folder / 'kubeconfig'}", *arguments]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def join(self, name):
        """Make *name* a member that Karmada pushes to."""
        server = self.servers[name]
        secret = {
            "caBundle": b64encode(certs.pem(certs.authority()).encode()).decode(),
            "token": b64encode(ADMIN.encode()).decode(),
        }
        where = {"namespace": "karmada-cluster", "name": name}
        uid = self.kubectl(
            *("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"), context=name
        )
        self.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": where, "data": secret},
            {
                "apiVersion": "cluster.karmada.io/v1alpha1",
                "kind": "Cluster",
                "metadata": {"name": name},
                "spec": {
                    "id": uid,
                    "syncMode": "Push",
                    "apiEndpoint": server.url,
                    "secretRef": where,
                    "impersonatorSecretRef": where,
                },
            },
        )
        self.until(lambda: "True" in self.kubectl("get", "clusters.cluster.karmada.io", name))

    def kubectl(self, *arguments, context=CONTROL, text=None, fails=False):
        """Return what kubectl prints; fail if it fails, unless that is expected."""
        done = subprocess.run(
            [
                need("kubectl"),
                f"--kubeconfig={self.kubeconfig}",
                f"--context={context}",
                *arguments,
            ],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert fails == bool(done.returncode), f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def apply(self, *objects, context=CONTROL):
        """Apply objects."""
        self.kubectl("apply", "-f", "-", context=context, text=yaml.safe_dump_all(objects))

    def until(self, holds, within=LIMIT):
        """Wait until *holds*; an error of kubectl counts as not yet."""
        end = time.monotonic() + within
        while True:
            try:
                if holds():
                    return
            except AssertionError as error:
                if time.monotonic() > end:
                    raise
                last = error
            else:
                last = None
            if time.monotonic() > end:
                pytest.fail(f"not within {within:g} s; {last or ''}")
            time.sleep(0.3)


def _aggregated(port):
    group = "cluster.karmada.io"
    about = {"namespace": "karmada-system", "name": "karmada-aggregated-apiserver"}
    service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": service}
    yield {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1alpha1.{group}"},
        "spec": {
            "group": group,
            "version": "v1alpha1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 2000,
            "versionPriority": 10,
            "service": about | {"port": port},
        },
    }


def _webhooks(port, ca):
    bundle = b64encode(ca.encode()).decode()
    for verb, hooks in WEBHOOKS.items():
        kind = {"mutate": "Mutating", "validate": "Validating"}[verb]
        yield {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": f"{verb}-config"},
            "webhooks": [
                {
                    "name": f"{name}.karmada.io",
                    "rules": [
                        {
                            "operations": operations,
                            "apiGroups": [group],
                            "apiVersions": ["*"],
                            "resources": [name],
                        }
                    ],
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{port}/{verb}-{_singular(name)}",
                        "caBundle": bundle,
                    },
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 10,
                }
                for name, group, operations in hooks
            ],
        }


def _singular(name):
    return name.replace("policies", "policy").removesuffix("s")
