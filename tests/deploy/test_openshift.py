"""What the chart renders, held to the rules of OpenShift's SCC restricted-v2."""

import re

import pytest
import yaml

from tests.deploy.test_kustomize import built, own
from tests.fakes.charts import MATRIX, NODE_LOGS, ROOT, objects, template

pytestmark = pytest.mark.slow
ON = {"openshift": True}
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret"),
}
"""The volumes that restricted-v2 allows."""
IDS = range(1_000_650_000, 1_000_660_000)
"""The ids of a namespace, as its annotation openshift.io/sa.scc.uid-range names them."""


def pods(found):
    """Yield the name and the pod of each object that has or makes one."""
    for each in found:
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["spec"]
        elif "template" in each.get("spec", {}):
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]["spec"]


def refused(pod):
    """
    Yield what SCC restricted-v2 would refuse in *pod*.

    Source: the object restricted-v2 of OpenShift's cluster-kube-apiserver-operator.
    """
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(host):
            yield host
    for volume in pod.get("volumes", ()):
        yield from sorted(f"volume {kind}" for kind in volume.keys() - {"name"} - VOLUMES)
    about = pod.get("securityContext", {})
    if about.get("fsGroup") not in {None, *IDS}:
        yield "fsGroup"
    yield from _of_either(about)
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        yield from _of_container(container)


def _of_either(about):
    """Yield what is refused in the security context of a pod or of a container."""
    if about.get("runAsUser", IDS[0]) not in IDS:
        yield "runAsUser"
    # MustRunAs: only what the namespace says, which the chart cannot know.
    if "seLinuxOptions" in about:
        yield "seLinuxOptions"
    if about.get("seccompProfile", {}).get("type", "RuntimeDefault") != "RuntimeDefault":
        yield "seccompProfile"


def _of_container(container):
    about = container.get("securityContext", {})
    yield from _of_either(about)
    if about.get("privileged"):
        yield "privileged"
    if about.get("allowPrivilegeEscalation", True):
        yield "allowPrivilegeEscalation"
    capabilities = about.get("capabilities", {})
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if capabilities.get("drop") not in (None, ["ALL"]):
        yield "capabilities that are not dropped"
    for port in container.get("ports", ()):
        if "hostPort" in port:
            yield "hostPort"


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_nothing_but_node_logs_needs_more_than_restricted_v2(values):
    found = dict(pods(objects({**values, **ON})))
    assert found
    for name, pod in found.items():
        # The files of a node are on its disk and belong to root: docs/openshift.md.
        expected = ["volume hostPath"] * 3 + ["runAsUser"] if name.startswith("DaemonSet") else []
        assert list(refused(pod)) == expected, name


@pytest.mark.parametrize("values", [{}, {"shards": 2}, {"probeKey": {"create": True}}])
def test_elsewhere_the_ids_are_fixed_and_restricted_v2_would_refuse_them(values):
    for _, pod in pods(objects(values)):
        assert list(refused(pod)) == ["fsGroup", "runAsUser"]


def test_the_platform_is_recognized_by_its_api():
    def ids(values, *more):
        done = template(values, more=more)
        assert done.returncode == 0, done.stderr
        found = [each for each in yaml.safe_load_all(done.stdout) if each]
        return {key for _, pod in pods(found) for key in pod["securityContext"]}

    openshift = "--api-versions=security.openshift.io/v1"
    plain = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}
    assert ids({}) == plain
    assert ids({}, openshift) == {"runAsNonRoot", "seccompProfile"}
    assert ids({"openshift": False}, openshift) == plain
    assert ids(ON) == {"runAsNonRoot", "seccompProfile"}


def test_on_nodes_the_user_stays_who_owns_the_files():
    (pod,) = [pod for name, pod in pods(objects({**NODE_LOGS, **ON})) if "DaemonSet" in name]
    assert pod["securityContext"]["runAsUser"] == 0


def test_the_patch_of_the_docs_does_the_same_to_the_plain_files(tmp_path):
    page = (ROOT / "docs" / "openshift.md").read_text()
    patches = yaml.safe_load(re.search(r"```yaml\n(patches:.*?)```", page, re.DOTALL)[1])
    made = own(tmp_path, "karmada", [])
    kustomization = yaml.safe_load((made / "kustomization.yaml").read_text())
    (made / "kustomization.yaml").write_text(yaml.safe_dump(kustomization | patches))
    ((_, pod),) = pods(built(made))
    assert list(refused(pod)) == []


def test_security_contexts_are_values():
    own = {"podSecurityContext": {"supplementalGroups": [7]}, "securityContext": {"runAsUser": 9}}
    for values, name in (
        ({**own}, "Deployment"),
        ({"nodeLogs": own | {"enabled": True}}, "Daemon"),
    ):
        (pod,) = [pod for title, pod in pods(objects(values)) if title.startswith(name)]
        assert pod["securityContext"]["supplementalGroups"] == [7]
        assert pod["containers"][0]["securityContext"]["runAsUser"] == 9
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    ((_, pod),) = pods(objects({**own, **ON}))
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("hostNetwork", True, "hostNetwork"),
        ("securityContext", {"runAsUser": 65532}, "runAsUser"),
        ("securityContext", {"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions"),
        ("volumes", [{"name": "x", "nfs": {}}], "volume nfs"),
        ("containers", [{"securityContext": {}}], "allowPrivilegeEscalation"),
    ],
)
def test_the_rules_refuse(path, value, told):
    ((_, pod),) = pods(objects(ON))
    assert told in list(refused(pod | {path: value}))
