"""The documentation's commands, on a real API server that stands for Karmada's and the members'."""

import asyncio
import base64
import json
import os
import re
import shlex
import shutil
import sys
from contextlib import AsyncExitStack, suppress

import pytest
import trustme

from tests.e2e.conftest import RealAccess
from tests.e2e.servers import Servers
from tests.e2e.test_deploy_real import kubeconfig
from tests.fakes.apiaccess import ADMIN
from tests.fakes.charts import CHART, ROOT, helm, objects, pod
from tests.fakes.commands import DOCS, OPERATIONS, commands
from tests.fakes.tools import need
from tests.fakes.virtual import until

pytestmark = pytest.mark.timeout(300)
CONTEXTS = ("karmada-apiserver", "k8s-node4", "k8s-node5")
OURS = "clusterset-exporter"
KEY = f"/api/v1/namespaces/{OURS}/secrets/{OURS}-probe-key"
LIMIT = 60.0
KINDS = [
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "Namespaced"),
    ("monitoring.coreos.com", "v1", "PrometheusRule", "Namespaced"),
    ("policy.karmada.io", "v1alpha1", "PropagationPolicy", "Namespaced"),
    ("policy.karmada.io", "v1alpha1", "OverridePolicy", "Namespaced"),
    ("policy.karmada.io", "v1alpha1", "ClusterPropagationPolicy", "Cluster"),
    ("cluster.karmada.io", "v1alpha1", "Cluster", "Cluster"),
    ("work.karmada.io", "v1alpha2", "ResourceBinding", "Namespaced"),
    ("work.karmada.io", "v1alpha2", "ClusterResourceBinding", "Cluster"),
    ("submariner.io", "v1", "Gateway", "Namespaced"),
    ("multicluster.x-k8s.io", "v1alpha1", "ServiceExport", "Namespaced"),
]
# What needs pods, a registry or a browser.
ELSEWHERE = {"make", "docker", "curl", "export"}
NEEDS_PODS = {"rollout", "logs", "port-forward", "exec"}


def plural(kind):
    return kind.lower()[:-1] + "ies" if kind.endswith("cy") else kind.lower() + "s"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Start a server of its own: the tests make and take away what others may have."""
    with Servers(tmp_path_factory.mktemp("commands")) as started:
        yield started


@pytest.fixture
async def api(alone):
    async with AsyncExitStack() as stack:
        access = RealAccess(alone, stack)
        for group, version, kind, scope in KINDS:
            if (await access.call("GET", f"/apis/{group}/{version}/{plural(kind)}"))[0] != 200:
                await access.install(group, plural(kind), kind, version, scope=scope)
        yield access


class Terminal:
    """Types commands in a checkout, with a kubeconfig of the contexts that the tutorial has."""

    def __init__(self, api, folder):
        self._api, self._folder = api, folder
        (folder / "deploy").symlink_to(ROOT / "deploy")
        (folder / "ca.pem").write_text(api.ca)
        server = {"server": api.url, "certificate-authority": str(folder / "ca.pem")}
        contexts = [{"name": n, "context": {"cluster": "c", "user": "u"}} for n in CONTEXTS]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"token": ADMIN}}],
            "contexts": contexts,
            "current-context": CONTEXTS[0],
        }
        (folder / "kubeconfig").write_text(json.dumps(config))
        home = {"HOME": str(folder), "KUBECONFIG": str(folder / "kubeconfig")}
        self._environment = os.environ | home

    async def __call__(self, command):
        """Return what *command* prints; fail if it fails."""
        first, *words = shlex.split(command) if isinstance(command, str) else command
        program = helm() if first == "helm" else need(first)
        process = await asyncio.create_subprocess_exec(
            *(program, *words),
            cwd=self._folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        stop = asyncio.Event()
        finalizing = asyncio.create_task(self._finalize(stop))
        try:
            async with asyncio.timeout(LIMIT):
                out, _ = await process.communicate()
        finally:
            # Cancelled, it would leave a connection open.
            stop.set()
            await finalizing
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, f"{command}\n{out.decode()}"
        return out.decode()

    async def _finalize(self, stop):
        """Do what a namespace controller does, which this server has not."""
        while not stop.is_set():
            for each in (await self._api.done("GET", "/api/v1/namespaces"))["items"]:
                if each["metadata"].get("deletionTimestamp"):
                    path = f"/api/v1/namespaces/{each['metadata']['name']}/finalize"
                    await self._api.call("PUT", path, each | {"spec": {"finalizers": []}})
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await stop.wait()


@pytest.fixture
async def terminal(api, tmp_path):
    made = Terminal(api, tmp_path)
    wanted = {f"{plural(kind)}.{group}" for group, _, kind, _ in KINDS}

    async def all_are_told():
        return wanted <= set((await made("kubectl api-resources --output=name")).split())

    # What is served is told to kubectl a moment later.
    await until(all_are_told, within=LIMIT)
    return made


def typed(page):
    """Yield the commands of *page* that this server can carry out."""
    for command in commands(page):
        words = shlex.split(command)
        if words[0] not in ELSEWHERE and not NEEDS_PODS & set(words):
            yield command


async def test_the_tutorial(terminal, api):
    """What is sent is taken, and as it says; what is taken away at the end is gone."""
    said = {command: await terminal(command) for command in typed(DOCS / "tutorial.md")}
    assert len(said) > 8
    (sent,) = [text for command, text in said.items() if "apply -k deploy/kustomize" in command]
    told = re.search(r"Expect (\d+) lines", (DOCS / "tutorial.md").read_text())
    lines = sent.splitlines()
    assert len(lines) == int(told[1])
    assert [line.split()[-1] for line in lines] == ["created"] * len(lines)
    shown = [text for command, text in said.items() if "get deployments,services," in command]
    for what in ("deployment.apps/nginx", "service/nginx", "serviceexport.multicluster"):
        assert what in shown[0]
    for namespace in (OURS, "nginx-test"):
        assert (await api.call("GET", f"/api/v1/namespaces/{namespace}"))[0] == 404


async def test_operations(terminal, api, tmp_path):
    """Installed, secured, upgraded and rolled back as the pages say."""
    body = {"apiVersion": "cluster.karmada.io/v1alpha1", "metadata": {"name": "k8s-node4"}}
    await api.done("POST", "/apis/cluster.karmada.io/v1alpha1/clusters", body | {"kind": "Cluster"})
    for name in ("submariner-operator", "nginx-test"):
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "tls.key")
    made.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}")
    for page in OPERATIONS:
        for command in typed(page):
            await terminal(command)
    path = f"/apis/apps/v1/namespaces/{OURS}/deployments/{OURS}"
    (container,) = (await api.done("GET", path))["spec"]["template"]["spec"]["containers"]
    # The last of them goes back to before the last upgrade, which kept what was set.
    assert "--web.config.file=/etc/clusterset-exporter-web/web.yaml" in container["args"]
    assert container["image"].startswith("registry.example.com/clusterset-exporter:")
    await terminal(f"helm uninstall {OURS} --namespace {OURS}")
    assert (await api.call("GET", path))[0] == 404
    await api.done("DELETE", KEY)


async def test_a_made_key_outlives_upgrades_rollbacks_and_the_release(terminal, api, tmp_path):
    """The command of the chart's Job is run with its rights, because this server runs no Jobs."""

    async def key():
        values = {"probeKey": {"create": True}}
        (container,) = pod(objects(values), "Job")["containers"]
        account = f"/api/v1/namespaces/{OURS}/serviceaccounts/{OURS}-probe-key/token"
        token = (await api.done("POST", account, {"spec": {}}))["status"]["token"]
        (tmp_path / "job").mkdir(exist_ok=True)
        access = kubeconfig(api, tmp_path / "job", token)
        command = (sys.executable, "-m", "exporter", *container["args"], f"--kubeconfig={access}")
        process = await asyncio.create_subprocess_exec(*command)
        async with asyncio.timeout(LIMIT):
            assert await process.wait() == 0
        coded = (await api.done("GET", KEY))["data"]["key"]
        return base64.b64decode(coded)

    install = (
        f"helm upgrade --install {OURS} deploy/helm/{OURS} --namespace {OURS} --create-namespace "
        "--set probeKey.create=true"
    )
    await terminal(install)
    first = await key()
    assert len(first) == 64
    await terminal(f"{install} --set shards=2")
    assert await key() == first
    await terminal(f"helm rollback {OURS} 1 --namespace {OURS}")
    assert await key() == first
    await terminal(f"helm uninstall {OURS} --namespace {OURS}")
    coded = (await api.done("GET", KEY))["data"]["key"]
    assert base64.b64decode(coded) == first
    await terminal(install)
    assert await key() == first
    await terminal(f"helm uninstall {OURS} --namespace {OURS}")
    await api.done("DELETE", KEY)


async def test_an_upgrade_takes_the_values_that_a_new_version_brings(terminal, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(CHART, old)
    values = (old / "values.yaml").read_text()
    (old / "values.yaml").write_text(values.replace("\nweb:", "\nextra:"))
    (old / "values.schema.json").unlink()
    for path in (old / "templates").rglob("*.*"):
        if path.name not in {"config.yaml", "_names.tpl", "_config.tpl"}:
            path.unlink()
    await terminal(
        f"helm install {OURS} ./old --namespace {OURS} --create-namespace --set cluster=east"
    )
    (upgrade,) = [
        each for each in typed(DOCS / "operations.md") if each.endswith("then-reuse-values")
    ]
    await terminal(upgrade)
    assert "cluster: east" in await terminal(f"helm get values {OURS} --namespace {OURS}")
    await terminal(f"helm uninstall {OURS} --namespace {OURS}")
