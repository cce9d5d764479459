"""What `kubectl apply -k` would send, and where Karmada sends it on to."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.fakes.charts import MATRIX, ROOT, objects, one, template
from tests.fakes.tools import need

pytestmark = pytest.mark.slow

KUSTOMIZE = ROOT / "deploy" / "kustomize"
OURS = "clusterset-exporter"
POLICY = "policy.karmada.io/v1alpha1"
MONITORING = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}


def built(path):
    command = [need("kubectl"), "kustomize", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def selected(policies, thing):
    """Return the names of the policies that select *thing*, as Karmada matches."""
    names = []
    for policy in policies:
        for wanted in policy["spec"]["resourceSelectors"]:
            about = thing["metadata"]
            labels = wanted.get("labelSelector", {}).get("matchLabels", {})
            if (
                (wanted["apiVersion"], wanted["kind"]) == (thing["apiVersion"], thing["kind"])
                and wanted.get("namespace") in (None, about.get("namespace"))
                and wanted.get("name") in (None, about["name"])
                and labels.items() <= about.get("labels", {}).items()
            ):
                names.append(policy["metadata"]["name"])
    return names


def split(found):
    policies = [each for each in found if each["apiVersion"] == POLICY]
    return policies, [each for each in found if each["apiVersion"] != POLICY]


def check_each_goes_once(found):
    policies, things = split(found)
    assert policies
    for thing in things:
        expected = ["clusterset-exporter"]
        if thing["kind"] == "Namespace":
            expected = []
        elif thing["kind"] in MONITORING:
            expected = ["clusterset-exporter-monitoring"]
        assert selected(policies, thing) == expected, thing["metadata"]


@pytest.mark.parametrize("overlay", ["karmada", "karmada-monitoring"])
def test_karmada_sends_each_object_once_and_no_namespace(overlay):
    check_each_goes_once(built(KUSTOMIZE / "overlays" / overlay))


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_so_it_does_whatever_the_values(values):
    made = {k: v for k, v in values.items() if k not in {"extraObjects", "rbac"}}
    if made.get("probeKey", {}).get("create"):
        # Refused on Karmada's API server.
        del made["probeKey"]
    check_each_goes_once(objects({**made, "karmada": {"enabled": True}}))


def test_members_of_today_and_tomorrow_get_all_and_labelled_ones_what_prometheus_reads():
    policies, _ = split(built(KUSTOMIZE / "overlays" / "karmada-monitoring"))
    everywhere, labelled = sorted(policies, key=lambda each: each["metadata"]["name"])
    for policy in policies:
        placement = policy["spec"]["placement"]
        assert placement["clusterTolerations"] == [{"operator": "Exists"}]
        assert placement["replicaScheduling"] == {"replicaSchedulingType": "Duplicated"}
    assert "clusterAffinity" not in everywhere["spec"]["placement"]
    wanted = labelled["spec"]["placement"]["clusterAffinity"]["labelSelector"]["matchLabels"]
    assert wanted == {"clusterset-exporter/prometheus-operator": "true"}
    kinds = {each["kind"] for each in labelled["spec"]["resourceSelectors"]}
    assert kinds <= MONITORING


@pytest.mark.parametrize("components", [[], ["../deploy/components/probe-key"]], ids=["", "key"])
@pytest.mark.parametrize(
    ("folder", "annotated"), [("karmada", True), ("karmada-monitoring", False)]
)
def test_pods_are_scraped_by_annotations_or_by_the_monitor(folder, annotated, components, tmp_path):
    found = built(own(tmp_path, folder, components))
    assert any(each["kind"] == "ServiceMonitor" for each in found) is not annotated
    annotations = one(found, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert any(name.startswith("prometheus.io/") for name in annotations) is annotated
    assert "checksum/config" in annotations


def own(folder, overlay, components):
    """Write a kustomization as an operator's; return its folder."""
    shutil.copytree(KUSTOMIZE, folder / "deploy")
    made = folder / "own"
    made.mkdir()
    wanted = {"resources": [f"../deploy/overlays/{overlay}"], "components": components}
    (made / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
    return made


def test_the_base_runs_in_a_restricted_namespace():
    namespace, *rest = sorted(built(KUSTOMIZE / "base"), key=lambda e: e["kind"] != "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"].get("namespace") for each in rest} == {None, "clusterset-exporter"}


def test_a_key_is_added_as_the_chart_adds_it(tmp_path):
    def plain(found):
        made = {}
        for each in found:
            each["metadata"].get("labels", {}).pop("helm.sh/chart", None)
            each["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
            made[each["kind"], each["metadata"]["name"]] = each
        return made

    found = plain(built(own(tmp_path, "karmada", ["../deploy/components/probe-key"])))
    secret = {"existingSecret": "clusterset-exporter-probe-key"}
    wanted = plain(objects({"karmada": {"enabled": True}, "probeKey": secret}))
    for key in (("ConfigMap", "clusterset-exporter"), ("ClusterPropagationPolicy", OURS)):
        assert found[key] == wanted[key]
    ours, chart = found["Deployment", OURS], wanted["Deployment", OURS]
    inside, expected = (each["spec"]["template"]["spec"] for each in (ours, chart))
    for pod in (inside, expected):
        for each in (pod["volumes"], pod["containers"][0]["volumeMounts"]):
            each.sort(key=lambda named: named["name"])
    assert inside == expected
    checksums = [each["spec"]["template"]["metadata"]["annotations"] for each in (ours, chart)]
    assert checksums[0] == checksums[1]


def test_what_is_rendered_is_noticed_when_it_is_old(tmp_path):
    """The check that `make check` makes fails on a changed template and on a changed copy."""
    objects()
    for name in ("deploy", "exporter", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "data")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)

    def check():
        command = [sys.executable, "deploy/render.py", "--check"]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (check().returncode, check().stdout) == (0, "")
    template = tmp_path / "deploy/helm/clusterset-exporter/templates/service.yaml"
    template.write_text(template.read_text().replace("port: 9877", "port: 9878"))
    (tmp_path / "exporter" / "__init__.py").write_text('"""X."""\n__version__ = "9.9.9"\n')
    done = check()
    assert done.returncode == 1
    for name in ("helm/clusterset-exporter/Chart.yaml", "kustomize/base/clusterset-exporter.yaml"):
        assert f"deploy/{name} is out of date: run make deploy" in done.stdout


def test_going_back_to_the_plain_overlay_is_one_file_to_delete():
    """What the one has and the other has not is in monitoring.yaml, and nothing else is."""

    def names(found):
        return {(each["kind"], each["metadata"]["name"]) for each in found}

    overlays = KUSTOMIZE / "overlays"
    more = names(built(overlays / "karmada-monitoring")) - names(built(overlays / "karmada"))
    text = (overlays / "karmada-monitoring" / "monitoring.yaml").read_text()
    assert names(each for each in yaml.safe_load_all(text) if each) == more
    assert {kind for kind, _ in more} == {"ClusterPropagationPolicy", *MONITORING - {"PodMonitor"}}


@pytest.mark.parametrize(
    "placement",
    [
        {"clusterAffinity": {"clusterNames": ["canary"]}},
        {"clusterTolerations": [{"key": "a", "operator": "Exists"}]},
    ],
)
def test_a_placement_narrows_which_members_get_it(placement):
    found = objects({"karmada": {"enabled": True, "placement": placement}})
    wanted = {
        "clusterTolerations": [{"operator": "Exists"}],
        "replicaScheduling": {"replicaSchedulingType": "Duplicated"},
    }
    policy = one(found, "ClusterPropagationPolicy", OURS)
    assert policy["spec"]["placement"] == wanted | placement


def test_a_placement_cannot_divide_replicas():
    divided = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
    done = template({"karmada": {"enabled": True, "placement": divided}})
    assert done.returncode
    assert "replicaScheduling" in done.stderr


APPLY = KUSTOMIZE / "overlays" / "karmada-monitoring" / "apply"
KUBECTL = """\
#!/bin/sh
echo "$@" >>"$CALLS"
case "$*" in *" get "*"$MISSING"*) [ -z "$MISSING" ] || exit 1 ;; esac
"""


@pytest.mark.parametrize("missing", ["", "servicemonitors", "prometheusrules"])
def test_the_monitoring_overlay_is_applied_as_a_whole_or_not_at_all(tmp_path, missing):
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    calls = tmp_path / "calls"
    done = subprocess.run(
        [APPLY, "mine", "--context", "karmada-apiserver"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls), "MISSING": missing},
        capture_output=True,
        text=True,
        check=False,
    )
    applied = "--context karmada-apiserver apply -k mine" in calls.read_text().splitlines()
    assert (applied, done.returncode) == (not missing, int(bool(missing)))
    assert ("nothing was applied: install the CRDs" in done.stderr) is bool(missing)
