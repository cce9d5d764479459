"""The chart as Argo CD and parent charts use it: rendered without a cluster, or as a dependency."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.fakes.charts import CHART, MATRIX, NODE_LOGS, ROOT, helm, objects, one, pod, template

pytestmark = pytest.mark.slow
OURS = "clusterset-exporter"
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "ClusterPropagationPolicy", "Namespace"}
KEY = {"probeKey": {"create": True}}


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_two_renderings_are_the_same_to_the_byte(values):
    """Argo CD renders without a cluster, so look-ups find nothing, and compares the results."""
    first, second = (template(values) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_no_template_asks_the_cluster_or_chance():
    unstable = re.compile(r"\b(lookup|rand[A-Z]\w*|gen[A-Z]\w*|uuidv4|now|getHostByName)\b")
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            actions = re.findall(r"{{.*?}}", path.read_text(), re.DOTALL)
            code = " ".join(re.sub(r'"[^"]*"', "", each) for each in actions)
            assert not unstable.search(re.sub(r"/\*.*?\*/", "", code)), path.name


def test_pods_wait_for_the_secret_that_the_job_makes():
    found = objects({**KEY, **NODE_LOGS})
    assert not [each for each in found if each["kind"] == "Secret"]
    (container,) = pod(found, "Job")["containers"]
    secret = f"{OURS}-probe-key"
    assert container["args"] == [
        "probe-key",
        secret,
        f"--namespace={OURS}",
        f"--namespace={OURS}-node-logs",
    ]
    for kind in ("Deployment", "DaemonSet"):
        (volume,) = [each["secret"] for each in pod(found, kind)["volumes"] if "secret" in each]
        assert volume["secretName"] == secret
        assert not volume.get("optional")
    account = pod(found, "Job")["serviceAccountName"]
    assert account != pod(found, "Deployment")["serviceAccountName"]


def test_a_job_that_differs_has_another_name_because_jobs_cannot_be_changed():
    def name(values):
        return one(objects({**KEY, **values}), "Job")["metadata"]["name"]

    assert name({}) == name({"replicas": 3})
    assert name({}) != name({"image": {"tag": "other"}})
    assert name({}) != name(NODE_LOGS)


def test_the_examples_of_the_docs_have_values_that_the_chart_takes():
    page = (ROOT / "docs" / "how-to" / "argo-cd.md").read_text()
    blocks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    found = {each["kind"]: each["spec"] for each in blocks if "kind" in each}
    application, release = found["Application"], found["HelmRelease"]
    given = application["source"]["helm"]["valuesObject"]
    assert (ROOT / application["source"]["path"]).samefile(CHART)
    assert (ROOT / release["chart"]["spec"]["chart"]).samefile(CHART)
    assert given == release["values"]
    (container,) = pod(objects(given), "Deployment")["containers"]
    assert container["image"].startswith("registry.example.com/")


def parent(folder, dependency=None, **values):
    """Write a parent chart with ours as its dependency; return its folder."""
    made = folder / "parent"
    shutil.copytree(CHART, made / "charts" / OURS)
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    ours = {"name": OURS, "version": about["version"], "condition": f"{OURS}.enabled"}
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0"}
    chart["dependencies"] = [ours | (dependency or {})]
    (made / "Chart.yaml").write_text(yaml.safe_dump(chart))
    (made / "values.yaml").write_text(yaml.safe_dump(values))
    return made


def test_a_parent_chart_switches_it_on_and_off(tmp_path):
    chart = parent(tmp_path)
    assert one(objects({}, chart, "platform"), "Deployment", f"platform-{OURS}")
    assert objects({OURS: {"enabled": True}}, chart)
    assert not objects({OURS: {"enabled": False}}, chart)
    done = template({"enabled": False})
    assert done.returncode != 0
    assert "enabled: false works only in a parent chart" in done.stderr


def test_it_heeds_what_a_parent_gives_to_all_its_charts(tmp_path):
    shared = {"imageRegistry": "r.example", "imagePullSecrets": ["one", {"name": "two"}]}
    chart = parent(
        tmp_path,
        {"alias": "watcher"},
        **{"global": shared | {"domain": "x"}, "watcher": {"imagePullSecrets": [{"name": "two"}]}},
    )
    found = objects({"watcher": {**KEY, **NODE_LOGS}}, chart, "platform")
    for kind in ("Deployment", "DaemonSet", "Job"):
        spec = pod(found, kind)
        assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
        (container,) = spec["containers"]
        assert container["image"].startswith(f"r.example/{OURS}:")
    labels = one(found, "Deployment")["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "watcher"
    assert one(found, "Deployment")["metadata"]["name"] == "platform-watcher"


@pytest.mark.parametrize(
    ("image", "shared", "expected"),
    [
        ({}, "", "clusterset-exporter"),
        ({"registry": "a.example"}, "", "a.example/clusterset-exporter"),
        ({"registry": "a.example"}, "b.example:5000", "b.example:5000/clusterset-exporter"),
        ({"repository": "a.example/x/y"}, "", "a.example/x/y"),
        ({"repository": "a.example/x/y"}, "b.example", "b.example/x/y"),
        ({"repository": "localhost/x"}, "b.example/", "b.example/x"),
        ({"repository": "x/y"}, "b.example", "b.example/x/y"),
    ],
)
def test_the_registry_of_the_image(image, shared, expected):
    values = {"image": {"tag": "t", **image}, "global": {"imageRegistry": shared}}
    (container,) = pod(objects(values), "Deployment")["containers"]
    assert container["image"] == f"{expected}:t"


def test_names_and_namespace_are_values():
    values = {
        "nameOverride": "watcher",
        "namespaceOverride": "elsewhere",
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "karmada": {"enabled": True},
    }
    found = objects(values, release="east")
    for each in found:
        about = each["metadata"]
        assert about["name"].startswith("east-watcher")
        assert about["labels"]["app.kubernetes.io/name"] == "watcher"
        expected = None if each["kind"] in CLUSTER_WIDE else "elsewhere"
        assert about.get("namespace") == expected
        for subject in each.get("subjects", ()):
            assert subject["namespace"] == "elsewhere"
    rules = yaml.safe_dump(one(found, "PrometheusRule"))
    assert 'up{job=~"watcher"}' in rules
    assert OURS not in yaml.safe_dump(
        one(found, "ClusterPropagationPolicy", "east-watcher")["spec"]
    )


def test_a_packaged_chart_renders_the_same(tmp_path):
    command = [helm(), "package", "--destination", tmp_path, CHART]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (packed,) = tmp_path.glob("*.tgz")
    assert template({}, packed).stdout == template({}).stdout
