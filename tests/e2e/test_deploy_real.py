"""A real API server takes what is rendered without a warning; the exporter runs on its rights."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import pytest
import yaml

from tests.fakes.charts import CI, MATRIX, NODE_LOGS, ROOT, objects, one
from tests.fakes.members import Member
from tests.fakes.process import exporter
from tests.fakes.virtual import until

OURS, ON_NODES = "clusterset-exporter", "clusterset-exporter-node-logs"
OTHERS = ("nginx-test", "shop", "submariner-operator", "openshift-dns")
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OURS}/leases/{OURS}"
KINDS = [
    ("monitoring.coreos.com", "servicemonitors", "ServiceMonitor", "v1", "Namespaced"),
    ("monitoring.coreos.com", "podmonitors", "PodMonitor", "v1", "Namespaced"),
    ("monitoring.coreos.com", "prometheusrules", "PrometheusRule", "v1", "Namespaced"),
    (
        "policy.karmada.io",
        "clusterpropagationpolicies",
        "ClusterPropagationPolicy",
        "v1alpha1",
        "Cluster",
    ),
    ("monitoring.googleapis.com", "podmonitorings", "PodMonitoring", "v1", "Namespaced"),
    ("grafana.integreatly.org", "grafanadashboards", "GrafanaDashboard", "v1beta1", "Namespaced"),
    ("gateway.networking.k8s.io", "httproutes", "HTTPRoute", "v1", "Namespaced"),
    ("policy.karmada.io", "propagationpolicies", "PropagationPolicy", "v1alpha1", "Namespaced"),
    ("policy.karmada.io", "overridepolicies", "OverridePolicy", "v1alpha1", "Namespaced"),
]
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "ClusterPropagationPolicy"}
IRREGULAR = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"} | {
    kind: plural for _, plural, kind, *_ in KINDS
}


def path_of(found):
    """Return where objects of this kind and namespace are."""
    api = found["apiVersion"]
    base = f"/apis/{api}" if "/" in api else f"/api/{api}"
    plural = IRREGULAR.get(found["kind"], found["kind"].lower() + "s")
    if found["kind"] in CLUSTER_WIDE:
        return f"{base}/{plural}"
    return f"{base}/namespaces/{found['metadata'].get('namespace', OURS)}/{plural}"


@pytest.fixture
async def cluster(api):
    """Return the API server with the namespaces and kinds that what is rendered needs."""
    for group, plural, kind, version, scope in KINDS:
        if (await api.call("GET", f"/apis/{group}/{version}/{plural}"))[0] != 200:
            await api.install(group, plural, kind, version, scope=scope)
    for name in (OURS, ON_NODES, *OTHERS):
        level = "privileged" if name == ON_NODES else "restricted"
        labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}
        body = {"metadata": {"name": name, "labels": labels}}
        assert (await api.call("POST", "/api/v1/namespaces", body))[0] in {201, 409}
    return api


async def accepted(api, found):
    """Try *found*, and for what makes pods a pod too; fail on a refusal and on a warning."""
    tried = [found]
    if "template" in found.get("spec", {}):
        template = found["spec"]["template"]
        about = template["metadata"] | {"name": "one", "namespace": found["metadata"]["namespace"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": template["spec"]}
        tried.append(pod)
    for each in tried:
        strictly = {"dryRun": "All", "fieldValidation": "Strict"}
        async with api.opened("POST", path_of(each), each, **strictly) as reply:
            text = await reply.text()
            there = each["kind"] == "Namespace" and reply.status == 409
            assert reply.status == 201 or there, f"{each['kind']}: {text}"
            assert "Warning" not in reply.headers, reply.headers.getall("Warning")


@pytest.mark.parametrize("values", CI.values(), ids=CI)
async def test_with_the_values_for_ci_it_is_taken_without_a_warning(cluster, values):
    found = objects(values)
    assert len(found) > 8
    for each in found:
        await accepted(cluster, each)


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
async def test_whatever_the_values_it_is_taken_without_a_warning(cluster, values):
    for each in objects(values):
        await accepted(cluster, each)


@pytest.mark.parametrize("folder", ["kustomize", "examples"])
async def test_so_are_the_committed_files(cluster, folder):
    if (await cluster.call("GET", "/apis/multicluster.x-k8s.io/v1alpha1"))[0] != 200:
        await cluster.install(
            "multicluster.x-k8s.io", "serviceexports", "ServiceExport", "v1alpha1"
        )
    for path in sorted((ROOT / "deploy" / folder).rglob("*.yaml")):
        if path.name == "kustomization.yaml" or path.parent.name == "central":
            continue
        for each in yaml.safe_load_all(path.read_text()):
            if each:
                await accepted(cluster, each)


async def test_pod_security_would_have_told(cluster):
    deployment = one(objects(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {}
    with pytest.raises(AssertionError, match="would violate PodSecurity"):
        await accepted(cluster, deployment)
    daemons = one(objects(NODE_LOGS), "DaemonSet")
    daemons["metadata"]["namespace"] = OURS
    with pytest.raises(AssertionError, match="restricted volume types"):
        await accepted(cluster, daemons)


def kubeconfig(api, folder, token, namespace=OURS):
    """Write what tells the exporter the server and its ServiceAccount's token."""
    (folder / "ca.pem").write_text(api.ca)
    server = {"server": api.url, "certificate-authority": str(folder / "ca.pem")}
    context = {"cluster": "c", "user": "u", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": context}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


async def installed(cluster, found, kind="Deployment"):
    """Make all of *found*; return the token of the ServiceAccount that pods of *kind* have."""
    for each in found:
        path = path_of(each)
        if (await cluster.call("POST", path, each))[0] != 201 and each["kind"] != "Namespace":
            # As another test left it.
            await cluster.done("DELETE", f"{path}/{each['metadata']['name']}")
            await cluster.done("POST", path, each)
    # Held by an exporter that was killed.
    await cluster.call("DELETE", LEASE)
    workload = one(found, kind)
    name = workload["spec"]["template"]["spec"]["serviceAccountName"]
    namespace = workload["metadata"]["namespace"]
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    asked = {"spec": {"expirationSeconds": 600}}
    return (await cluster.done("POST", account, asked))["status"]["token"]


@asynccontextmanager
async def in_a_pod(cluster, folder, values, kind):
    """Run the exporter as a pod of *kind* would: its arguments, configuration, rights and name."""
    found = objects(values)
    for each in found:
        if each["kind"] == "ConfigMap":
            stamp = {"work.karmada.io/namespace": "karmada-es-member1"}
            each["metadata"]["annotations"] = stamp
    token = await installed(cluster, found, kind)
    workload = one(found, kind)
    name, namespace = workload["metadata"]["name"], workload["metadata"]["namespace"]
    config = folder / "config.yaml"
    text = one(found, "ConfigMap", name)["data"]["config.yaml"]
    config.write_text(text.replace("/var/lib/clusterset-exporter", str(folder)))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    given = [each for each in container["args"][1:] if not each.startswith("--config.file=")]
    access = kubeconfig(cluster, folder, token, namespace)
    async with exporter(config, *given, "--kubeconfig", str(access)) as running:

        async def works():
            status = await running.status()
            return status["ready"] and status["cluster"]

        await running.until(works)
        yield running


@pytest.fixture(autouse=True)
def pod_name(monkeypatch):
    monkeypatch.setenv("POD_NAME", f"{OURS}-1")
    monkeypatch.delenv("CLUSTER_NAME", raising=False)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"podLogs": {"namespaces": ["shop"]}}, "Deployment"),
        ({"watchNamespaces": ["shop"], "submarinerNamespace": ""}, "Deployment"),
        ({"shards": 2}, "StatefulSet"),
        (NODE_LOGS, "DaemonSet"),
    ],
)
async def test_with_the_rights_and_arguments_of_the_chart_it_becomes_ready(
    cluster, tmp_path, values, kind
):
    async with in_a_pod(cluster, tmp_path, values, kind) as running:
        status = await running.status()
        assert status["cluster"] == "member1"
        problems = json.dumps(status["problems"])
        assert "forbidden" not in problems.lower(), problems


async def test_one_of_the_replicas_leads(cluster, tmp_path):
    async with in_a_pod(cluster, tmp_path, {}, "Deployment") as running:
        await running.until_value(1, "clusterset_exporter_leader")
        holder = (await cluster.done("GET", LEASE))["spec"]["holderIdentity"]
        assert holder.startswith(f"{OURS}-1_")


async def test_check_in_a_pod_sees_all_with_the_rights_of_the_example(cluster, tmp_path):
    member = Member(cluster, tmp_path)
    await member.fill()
    names = {"metadata": {"name": "coredns"}, "data": {"Corefile": ".:53 {\n}\n"}}
    await cluster.done("POST", "/api/v1/namespaces/kube-system/configmaps", names)
    access = kubeconfig(cluster, tmp_path, await installed(cluster, objects()))

    async def unseen():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", "check", "nginx-test/nginx", "--json"),
            *("--kubeconfig", str(access)),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
        findings = json.loads(out)["findings"]
        return {each["about"] for each in findings if each["text"].startswith("not looked at")}

    assert await unseen() == {
        "Lighthouse pods in submariner-operator",
        "service submariner-operator/submariner-lighthouse-coredns",
        "CoreDNS kube-system/coredns",
        "NodeLocal DNS kube-system/node-local-dns",
    }
    for each in yaml.safe_load_all((ROOT / "deploy/examples/check-rights.yaml").read_text()):
        await cluster.done("POST", path_of(each), each)

    async def sees_all():
        return not await unseen()

    await until(sees_all, within=60)
    await member.empty()
