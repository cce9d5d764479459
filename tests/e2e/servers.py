"""A real kube-apiserver and its etcd on free ports of loopback, without root."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes import certs
from tests.fakes.apiaccess import ADMIN, EXPORTER, USERS

START_LIMIT = 60.0
REQUIRED = "REQUIRE_APISERVER"
BUILD = Path(__file__).parent / "build-apiserver"


def _found(tool):
    """Return a program as Kubernetes' envtest finds it, or from PATH; None if there is none."""
    named = os.environ.get(f"TEST_ASSET_{tool.upper().replace('-', '_')}")
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for path in (named, assets and f"{assets}/{tool}", shutil.which(tool)):
        if path and Path(path).exists():
            return path
    return None


def programs():
    """Return kube-apiserver and etcd; without them skip the test, or fail if they are required."""
    cached = subprocess.run([BUILD, "--find"], capture_output=True, text=True, check=False)
    found = {"kube-apiserver": cached.stdout.strip() or None, "etcd": _found("etcd")}
    if missing := [name for name, path in found.items() if not path]:
        message = f"no {' and no '.join(missing)} found; `make e2e` gets them"
        if os.environ.get(REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    return found["kube-apiserver"], found["etcd"]


def free_ports(count):
    with ExitStack() as stack:
        ends = [stack.enter_context(socket.socket()) for _ in range(count)]
        for end in ends:
            end.bind(("127.0.0.1", 0))
        return [end.getsockname()[1] for end in ends]


def _write_keys(directory, names):
    """Write what the API server proves itself with, and what it signs with."""
    issued = certs.authority().issue_cert(*names)
    issued.private_key_pem.write_to_path(directory / "server.key")
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(directory / "server.crt", append=number > 0)
    certs.authority().cert_pem.write_to_path(directory / "ca.crt")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (directory / "sa.key").write_bytes(private)
    (directory / "sa.pub").write_bytes(public)
    groups = {ADMIN: "system:masters", EXPORTER: "system:serviceaccounts"}
    rows = [f'{token},{user},{user},"{groups[token]}"\n' for token, user in USERS.items()]
    (directory / "tokens.csv").write_text("".join(rows))


class Servers:
    """Both processes; enter to start them."""

    names = ("127.0.0.1", "localhost")
    """By which clients know the API server."""

    def __init__(self, directory):
        self.directory = directory
        self.apiserver_program, self.etcd_program = programs()
        self.port, self.etcd_port, self.peer_port = free_ports(3)
        self.url = f"https://127.0.0.1:{self.port}"
        self.etcd_url = f"http://127.0.0.1:{self.etcd_port}"
        self.processes = {}

    def __enter__(self):
        _write_keys(self.directory, self.names)
        try:
            self._start("etcd", self._etcd())
            self._start("apiserver", self._apiserver())
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(list(self.processes.values())):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def kill(self):
        """End the API server as a crash does."""
        self.processes["apiserver"].kill()
        self.processes["apiserver"].wait(10)

    def restart(self):
        """Start it again after that, on the same port."""
        self._start("apiserver", self._apiserver())

    def signal(self, number):
        self.processes["apiserver"].send_signal(number)

    def compact(self):
        """Have etcd forget all that is not current."""
        key = base64.b64encode(b"x").decode()
        revision = self._etcd_call("range", {"key": key})["header"]["revision"]
        self._etcd_call("compaction", {"revision": revision, "physical": True})

    def _etcd_call(self, what, body):
        url = f"{self.etcd_url}/v3/kv/{what}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as reply:
            return json.load(reply)

    def wait(self):
        """Wait until the API server says that it is ready."""
        context = certs.ssl.create_default_context(cafile=self.directory / "ca.crt")
        end = time.monotonic() + START_LIMIT
        asked = urllib.request.Request(
            f"{self.url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"}
        )
        while True:
            try:
                urllib.request.urlopen(asked, timeout=5, context=context).close()
            except OSError as error:
                dead = self.processes["apiserver"].poll() is not None
                if dead or time.monotonic() > end:
                    log = (self.directory / "apiserver.log").read_text()[-2000:]
                    pytest.fail(f"kube-apiserver does not get ready: {error}\n{log}")
                time.sleep(0.1)
            else:
                return

    def _start(self, name, command):
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def _etcd(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        return [
            self.etcd_program,
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _apiserver(self):
        at = self.directory
        return [
            self.apiserver_program,
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={at / 'certs'}",
            f"--tls-cert-file={at / 'server.crt'}",
            f"--tls-private-key-file={at / 'server.key'}",
            f"--client-ca-file={at / 'ca.crt'}",
            f"--token-auth-file={at / 'tokens.csv'}",
            f"--service-account-key-file={at / 'sa.pub'}",
            f"--service-account-signing-key-file={at / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=100.1.0.0/16",
            "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged=true",
            # Compacted by hand, which a server that lists from snapshots would not notice.
            "--etcd-compaction-interval=0",
            "--feature-gates=ListFromCacheSnapshot=false",
        ]
