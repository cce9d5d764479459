"""The chart as it is published: its values for CI, what lint says, and what it says of itself."""

import os
import subprocess

import pytest
import yaml

from tests.fakes.charts import CHART, CI, ROOT, helm, objects, one, pod, template

pytestmark = pytest.mark.slow
with_values_for_ci = pytest.mark.parametrize("values", CI.values(), ids=CI)


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@with_values_for_ci
def test_lint_finds_nothing(values, tmp_path):
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))
    done = run(helm(), "lint", "--strict", "--kube-version", "1.34.0", CHART, "-f", given)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@with_values_for_ci
def test_the_oldest_kubernetes_of_the_chart_gets_the_same_objects(values):
    oldest = template(values, more=["--kube-version=1.25.0"])
    assert oldest.returncode == 0, oldest.stderr
    assert oldest.stdout == template(values).stdout


def packaged(folder, **environment):
    """Return Chart.yaml and the names of the files of the packaged chart."""
    command = ["sh", "deploy/package-chart", folder]
    done = run(*command, cwd=ROOT, env=os.environ | {"HELM": helm(), **environment})
    assert done.returncode == 0, done.stderr
    (package,) = folder.glob("*.tgz")
    names = run("tar", "--list", "--file", package).stdout.split()
    return yaml.safe_load(run(helm(), "show", "chart", package).stdout), names


def test_what_it_says_of_itself(tmp_path):
    chart, names = packaged(tmp_path, PROJECT_URL="https://forge.test/us/clusterset-exporter")
    assert chart["home"] == "https://forge.test/us/clusterset-exporter"
    assert chart["sources"] == [chart["home"]]
    assert chart["icon"] == f"{chart['home']}/raw/v{chart['version']}/docs/icon.svg"
    assert (ROOT / "docs" / "icon.svg").exists()
    assert chart["maintainers"]
    assert chart["annotations"]["artifacthub.io/license"] == "Apache-2.0"
    inside = {name.removeprefix("clusterset-exporter/") for name in names}
    assert {"README.md", "values.schema.json", "files/rules/local.yaml.tpl"} <= inside
    assert not [name for name in inside if name.startswith("ci/")]


def test_without_an_address_it_names_none(tmp_path):
    chart, _ = packaged(tmp_path, PROJECT_URL="")
    assert not {"home", "sources", "icon"} & chart.keys()


def test_helm_test_checks_a_service_as_the_exporter_would():
    found = objects({"helmTest": {"service": "shop/cart"}})
    check = one(found, "Pod")
    assert check["metadata"]["annotations"]["helm.sh/hook"] == "test"
    deployment = pod(found, "Deployment")
    assert check["spec"]["serviceAccountName"] == deployment["serviceAccountName"]
    assert check["spec"]["securityContext"] == deployment["securityContext"]
    (container,) = check["spec"]["containers"]
    assert container["args"] == [
        "check",
        "--config.file=/etc/clusterset-exporter/config.yaml",
        "shop/cart",
    ]
    assert container["volumeMounts"] == deployment["containers"][0]["volumeMounts"]
    assert "Pod" not in {each["kind"] for each in objects()}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ingress": {"enabled": True}}, "name the hosts of the page"),
        ({"httpRoute": {"enabled": True}}, "name the Gateway"),
        ({"serviceAccount": {"create": False}}, "name the account that exists"),
        (
            {"podMonitoring": {"enabled": True}, "podMonitor": {"enabled": True}},
            "would scrape each pod twice",
        ),
        (
            {"podMonitoring": {"enabled": True}, "web": {"scrape": {"basicAuth": {}}}},
            "into podMonitoring.endpoint",
        ),
        (
            {"helmTest": {"service": "a/b"}, "karmada": {"enabled": True}},
            "Karmada's API server runs no pods",
        ),
        ({"helmTest": {"service": "cart"}}, "/helmTest/service"),
        ({"service": {"type": "None"}}, "/service/type"),
        ({"startupProbe": {"httpGet": {}}}, "additional properties 'httpGet' not allowed"),
        ({"extraEnv": [{"value": "x"}]}, "/extraEnv/0"),
        ({"httpRoute": {"path": "x"}}, "/httpRoute/path"),
    ],
)
def test_bad_values_are_refused(values, told):
    done = template(values)
    assert done.returncode != 0
    assert told in done.stderr


def test_the_job_of_google_is_the_name_of_its_object():
    found = objects({"podMonitoring": {"enabled": True}, "prometheusRule": {"enabled": True}})
    name = one(found, "PodMonitoring")["metadata"]["name"]
    assert f'up{{job=~"{name}(-node-logs)?"}}' in yaml.safe_dump(one(found, "PrometheusRule"))
    pods = one(found, "Deployment")["spec"]["template"]["metadata"]
    assert "prometheus.io/scrape" not in pods["annotations"]
    wanted = one(found, "PodMonitoring")["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= pods["labels"].items()
