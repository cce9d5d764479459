"""On a whole Karmada control plane with two members: what docs/karmada.md has an operator do."""

import json
import re
import shlex
import shutil
import subprocess
import time

import pytest

from tests.e2e.karmada import CONTROL, MEMBERS, Karmada
from tests.fakes.charts import CHART, ROOT, helm
from tests.fakes.commands import commands
from tests.fakes.tools import need

pytestmark = pytest.mark.timeout(600)
OURS = "clusterset-exporter"
CANARY, OTHER = MEMBERS
OVERLAYS = ROOT / "deploy" / "kustomize" / "overlays"
POLICY = f"clusterpropagationpolicy/{OURS}"
IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"
GENERATION = "jsonpath={.metadata.generation}"
KEY = f"{OURS}-probe-key"
STAYS = 6.0
"""Seconds for which something must not happen; Karmada needs one or two for what must."""
PAGE = ROOT / "docs" / "karmada.md"


@pytest.fixture(scope="module")
def karmada(tmp_path_factory):
    with Karmada(tmp_path_factory.mktemp("karmada")) as started:
        yield started


@pytest.fixture
def fleet(karmada):
    yield Fleet(karmada)
    karmada.kubectl("delete", "namespace", OURS, "--ignore-not-found", "--wait=false")
    for policy in ("", "-monitoring"):
        karmada.kubectl("delete", "--ignore-not-found", f"{POLICY}{policy}")
    for kind in ("clusterrole", "clusterrolebinding"):
        karmada.kubectl("delete", kind, "--selector", f"app.kubernetes.io/name={OURS}")
    gone = ("get", "namespace", OURS, "--ignore-not-found", "-o", "name")
    for context in (CONTROL, *MEMBERS):
        # A member keeps a namespace that was there before Karmada sent it.
        delete = ("delete", "namespace", OURS, "--ignore-not-found", "--wait=false")
        karmada.kubectl(*delete, context=context)
        karmada.until(lambda context=context: not karmada.kubectl(*gone, context=context))


class Fleet:
    """The exporter on Karmada and in its members."""

    def __init__(self, karmada):
        self.karmada, self.until = karmada, karmada.until

    def kubectl(self, *arguments, context=CONTROL, **more):
        return self.karmada.kubectl("--namespace", OURS, *arguments, context=context, **more)

    def helm(self, *arguments, code=0):
        reach = ("--kubeconfig", self.karmada.kubeconfig, "--kube-context", CONTROL)
        done = subprocess.run(
            [helm(), *arguments, "--namespace", OURS, *reach],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def has(self, member, what="deployment"):
        name = self.kubectl("get", what, OURS, "--ignore-not-found", "-o", "name", context=member)
        return bool(name)

    def image(self, member):
        return self.kubectl("get", "deployment", OURS, "-o", IMAGE, context=member)

    def type(self, command):
        """Type a command of the page, in a checkout, as an operator would."""
        first, *words = shlex.split(command)
        reach = ["--kubeconfig", str(self.karmada.kubeconfig)]
        program = {"helm": helm}.get(first, lambda: need("kubectl"))()
        script = [] if first in {"helm", "kubectl"} else ["sh", str(ROOT / first)]
        done = subprocess.run(
            [*(script or [program]), *words, *reach],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def typed(heading):
    """Return the commands of a section of the page."""
    text = re.split(rf"^## {heading}$", PAGE.read_text(), flags=re.MULTILINE)[1]
    section = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return [each for each in commands(PAGE) if each in section]


def stays(holds):
    """Fail if *holds* does not hold for some seconds."""
    end = time.monotonic() + STAYS
    while time.monotonic() < end:
        assert holds()
        time.sleep(0.5)


def test_the_overlay_reaches_all_members_and_names_their_clusters(fleet):
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "karmada"))
    stamp = r"jsonpath={.metadata.annotations.work\.karmada\.io/namespace}"
    for member in MEMBERS:
        fleet.until(lambda member=member: fleet.has(member) and fleet.has(member, "configmap"))
        told = fleet.kubectl("get", "configmap", OURS, "-o", stamp, context=member)
        assert told == f"karmada-es-{member}"

    def all_are_applied():
        wide = fleet.kubectl("get", "resourcebindings", "-o", "wide", "--no-headers")
        rows = [line.split()[1:3] for line in wide.splitlines()]
        return len(rows) == 8 and all(row == ["True", "True"] for row in rows)

    fleet.until(all_are_applied)


def test_helm_waits_in_vain_and_the_chart_says_what_to_do(fleet):
    install = ("install", OURS, str(CHART), "--create-namespace", "--set", "karmada.enabled=true")
    told = fleet.helm(*install, "--wait", "--timeout", "5s", code=1)
    assert "context deadline exceeded" in told
    for member in MEMBERS:
        fleet.until(lambda member=member: fleet.has(member))
    notes = fleet.helm("get", "notes", OURS)
    assert "`helm install --wait`" in notes
    (wait,) = re.findall(r"rollout status (deployment/\S+)", notes)
    # As if its pods ran, which nobody does here.
    pods = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    for member in MEMBERS:
        generation = fleet.kubectl("get", wait, "-o", GENERATION, context=member)
        status = json.dumps({"status": pods | {"observedGeneration": int(generation)}})
        patch = ("patch", wait, "--subresource=status", "--type=merge", f"--patch={status}")
        fleet.kubectl(*patch, context=member)
    fleet.kubectl("rollout", "status", wait, "--timeout=60s")
    fleet.helm("uninstall", OURS)
    for member in MEMBERS:
        fleet.until(lambda member=member: not fleet.has(member))


def test_a_placement_is_one_member_and_then_all(fleet):
    install, widen = typed("One member first")
    fleet.type(install)
    fleet.until(lambda: fleet.has(CANARY))
    stays(lambda: not fleet.has(OTHER))
    fleet.type(widen)
    fleet.until(lambda: fleet.has(OTHER))
    fleet.helm("uninstall", OURS)


def test_a_new_version_comes_to_one_member_and_then_to_all(fleet):
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "karmada"))
    for member in MEMBERS:
        fleet.until(lambda member=member: fleet.has(member))
    old = fleet.image(OTHER)
    hold, *_, release = typed("A new version in one member first")
    fleet.type(hold)
    fleet.kubectl("set", "image", f"deployment/{OURS}", f"exporter={OURS}:9.9.9")
    fleet.until(lambda: fleet.image(CANARY) == f"{OURS}:9.9.9")
    stays(lambda: fleet.image(OTHER) == old)
    fleet.type(release)
    fleet.until(lambda: fleet.image(OTHER) == f"{OURS}:9.9.9")


def test_or_the_others_are_pinned_to_the_old_one(fleet):
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "karmada"))
    pin, unpin = typed("Other versions in other members")
    fleet.type(pin)
    fleet.kubectl("set", "image", f"deployment/{OURS}", f"exporter={OURS}:9.9.9")
    fleet.until(lambda: fleet.image(CANARY) == f"{OURS}:9.9.9")
    fleet.until(lambda: fleet.image(OTHER) == f"{OURS}:0.1.0")
    fleet.type(unpin)
    fleet.until(lambda: fleet.image(OTHER) == f"{OURS}:9.9.9")


def test_a_member_that_has_it_already_is_taken_over_with_its_key(fleet, tmp_path):
    fleet.karmada.kubectl("create", "namespace", OURS, context=OTHER)
    secret = ("create", "secret", "generic", KEY)
    fleet.kubectl(*secret, "--from-literal=key=old", context=OTHER)
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "../base"), context=OTHER)
    fleet.karmada.kubectl("create", "namespace", OURS)
    fleet.kubectl(*secret, "--from-literal=key=new")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(
        "resources: [../deploy/kustomize/overlays/karmada]\n"
        "components: [../deploy/kustomize/components/probe-key]\n"
    )
    fleet.karmada.kubectl("apply", "-k", str(tmp_path / "mine"))
    fleet.until(lambda: fleet.has(CANARY))

    def label(what):
        return fleet.kubectl("get", what, "-o", "jsonpath={.metadata.labels}", context=OTHER)

    def key():
        return fleet.kubectl("get", "secret", KEY, "-o", "jsonpath={.data.key}", context=OTHER)

    theirs = key()
    stays(lambda: "karmada.io/managed" not in label(f"deployment/{OURS}"))
    (take_over,) = typed("A member that has the exporter already")
    fleet.type(take_over)
    for what in (f"deployment/{OURS}", f"configmap/{OURS}", f"service/{OURS}", f"secret/{KEY}"):
        fleet.until(lambda what=what: "karmada.io/managed" in label(what))
    assert key() != theirs


def definitions():
    """Yield CRDs as far as Karmada looks at them."""
    for kind in ("ServiceMonitor", "PrometheusRule"):
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.monitoring.coreos.com"},
            "spec": {
                "group": "monitoring.coreos.com",
                "scope": "Namespaced",
                "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
            },
        }


def test_monitoring_comes_as_a_whole_and_goes_without_a_trace(fleet):
    apply, label, relabel, *back = typed("Monitors for some members")
    with pytest.raises(AssertionError, match="nothing was applied: install the CRDs"):
        fleet.type(apply)
    assert not fleet.karmada.kubectl("get", POLICY, "--ignore-not-found")
    fleet.karmada.apply(*definitions())
    fleet.karmada.apply(*definitions(), context=CANARY)
    monitor = "servicemonitor"
    fleet.until(lambda: "No resources" in fleet.kubectl("get", monitor))
    fleet.type(apply)
    fleet.until(lambda: fleet.has(CANARY))
    stays(lambda: not fleet.has(CANARY, monitor))
    fleet.type(label)
    fleet.until(lambda: fleet.has(CANARY, monitor))
    # The label comes first and the CRDs later: Karmada does not look again by itself.
    fleet.type(label.replace(CANARY, OTHER))
    fleet.karmada.apply(*definitions(), context=OTHER)
    stays(lambda: not fleet.has(OTHER, monitor))
    fleet.type(relabel.replace(CANARY, OTHER))
    fleet.type(label.replace(CANARY, OTHER))
    fleet.until(lambda: fleet.has(OTHER, monitor))
    assert len(back) == 2
    for command in back:
        fleet.type(command)
    for member in MEMBERS:
        fleet.until(lambda member=member: not fleet.has(member, monitor))
        fleet.until(lambda member=member: "prometheus.io/scrape" in annotations(fleet, member))
    assert not fleet.karmada.kubectl("get", f"{POLICY}-monitoring", "--ignore-not-found")


def annotations(fleet, member):
    path = "jsonpath={.spec.template.metadata.annotations}"
    return fleet.kubectl("get", "deployment", OURS, "-o", path, context=member)


def test_without_its_policy_all_stays_as_it_is(fleet):
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "karmada"))
    fleet.until(lambda: fleet.has(CANARY))
    old = fleet.image(CANARY)
    fleet.karmada.kubectl("delete", POLICY)
    fleet.kubectl("set", "image", f"deployment/{OURS}", f"exporter={OURS}:9.9.9")
    stays(lambda: fleet.image(CANARY) == old)
    fleet.karmada.kubectl("apply", "-f", str(OVERLAYS / "karmada" / "policies.yaml"))
    fleet.until(lambda: fleet.image(CANARY) == f"{OURS}:9.9.9")


def test_a_member_that_leaves_loses_it_and_gets_it_again(fleet):
    fleet.karmada.kubectl("apply", "-k", str(OVERLAYS / "karmada"))
    fleet.until(lambda: fleet.has(OTHER))
    cluster = ("clusters.cluster.karmada.io", OTHER)
    fleet.karmada.kubectl("delete", *cluster, "--wait=false")
    fleet.until(lambda: not fleet.karmada.kubectl("get", *cluster, "--ignore-not-found"))
    assert not fleet.has(OTHER)
    assert fleet.has(CANARY)
    fleet.karmada.join(OTHER)
    fleet.until(lambda: fleet.has(OTHER))
