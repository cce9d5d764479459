"""Each call of kubectl in a runbook, typed with all its flags before a real API server."""

import asyncio
import json
import os
import re
from contextlib import AsyncExitStack

import pytest

from tests.e2e.conftest import RealAccess
from tests.e2e.servers import Servers
from tests.fakes.apiaccess import ADMIN
from tests.fakes.runbooks import of_program
from tests.fakes.tools import need

pytestmark = pytest.mark.timeout(300)
KINDS = [
    ("submariner.io", "v1", "Gateway", "Namespaced"),
    ("submariner.io", "v1", "Cluster", "Namespaced"),
    ("multicluster.x-k8s.io", "v1alpha1", "ServiceExport", "Namespaced"),
    ("multicluster.x-k8s.io", "v1alpha1", "ServiceImport", "Namespaced"),
    ("policy.karmada.io", "v1alpha1", "PropagationPolicy", "Namespaced"),
    ("policy.karmada.io", "v1alpha1", "ClusterPropagationPolicy", "Cluster"),
    ("work.karmada.io", "v1alpha2", "ResourceBinding", "Namespaced"),
    ("networking.karmada.io", "v1alpha1", "MultiClusterService", "Namespaced"),
    ("cert-manager.io", "v1", "Certificate", "Namespaced"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "Namespaced"),
]
OBJECTS = [
    ("multicluster.x-k8s.io", "v1alpha1", "shop", "serviceexports", "cart"),
    ("work.karmada.io", "v1alpha2", "shop", "resourcebindings", "cart-deployment"),
]
PODS = [("clusterset-exporter", "exporter-0", "clusterset-exporter"), ("shop", "cart-0", "cart")]
NAMED = "app.kubernetes.io/name"
NO_NODE = re.compile(r"does not have a host assigned|address not allowed|no node")
"""What is said of a pod that runs nowhere: the command was understood, and the pod was found."""


def plural(kind):
    return kind.lower()[:-1] + "ies" if kind.endswith("cy") else kind.lower() + "s"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Start a server of its own: pods of other tests are on nodes that are gone."""
    with Servers(tmp_path_factory.mktemp("runbooks")) as started:
        yield started


@pytest.fixture
async def api(alone):
    async with AsyncExitStack() as stack:
        yield RealAccess(alone, stack)


@pytest.fixture
async def kubeconfig(api, tmp_path):
    """Make what the commands speak of, and a context for each cluster."""
    for group, version, kind, scope in KINDS:
        if (await api.call("GET", f"/apis/{group}/{version}/{plural(kind)}"))[0] != 200:
            await api.install(group, plural(kind), kind, version, scope=scope)
    for namespace, pod, app in PODS:
        await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        labels = {NAMED: app}
        body = {
            "metadata": {"name": pod, "labels": labels},
            "spec": {
                "containers": [{"name": "app", "image": "none"}],
                "automountServiceAccountToken": False,
            },
        }
        await api.call("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    template = {"metadata": {"labels": {NAMED: "clusterset-exporter"}}, "spec": body["spec"]}
    selector = {"matchLabels": {NAMED: "clusterset-exporter"}}
    await api.call(
        "POST",
        "/apis/apps/v1/namespaces/clusterset-exporter/deployments",
        {
            "metadata": {"name": "clusterset-exporter"},
            "spec": {"selector": selector, "template": template},
        },
    )
    await api.call(
        "POST", "/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "coredns"}}
    )
    spec = {"selector": {NAMED: "cart"}, "ports": [{"port": 80}]}
    path = "/api/v1/namespaces/shop/services"
    await api.call("POST", path, {"metadata": {"name": "cart"}, "spec": spec})
    for group, version, namespace, resource, name in OBJECTS:
        kind = next(kind for g, _, kind, _ in KINDS if g == group and plural(kind) == resource)
        made = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}}
        path = f"/apis/{group}/{version}/namespaces/{namespace}/{resource}"
        await api.call("POST", path, made)
    (tmp_path / "ca.pem").write_text(api.ca)
    server = {"server": api.url, "certificate-authority": str(tmp_path / "ca.pem")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": ADMIN}}],
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": "u"}}
            for name in ("east", "west", "karmada")
        ],
        "current-context": "east",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def typed(words, kubeconfig):
    """Return the exit code of kubectl and what it says on standard error."""
    process = await asyncio.create_subprocess_exec(
        *(need("kubectl"), *words, *(["--request-timeout=3s"] if "--watch" in words else [])),
        env=os.environ | {"HOME": str(kubeconfig.parent), "KUBECONFIG": str(kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_each_call_of_kubectl_is_understood_and_finds_what_it_names(kubeconfig):
    calls = dict.fromkeys((tuple(words) for _, words in of_program("kubectl")))
    assert len(calls) > 40
    said = {words: await typed(words, kubeconfig) for words in calls}
    wrong = {
        " ".join(words): text
        for words, (code, text) in said.items()
        # It says no by its exit code, and nothing on standard error.
        if code and not NO_NODE.search(text) and (text or "can-i" not in words)
    }
    assert wrong == {}


async def test_a_wrong_flag_or_a_wrong_name_would_be_noticed(kubeconfig):
    for words in (["logs", "-A"], ["get", "nothings"], ["get", "pods", "--tail=1"]):
        code, text = await typed(words, kubeconfig)
        assert code
        assert not NO_NODE.search(text)
