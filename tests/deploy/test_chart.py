"""What the chart renders, and what it refuses."""

import json
import subprocess

import jsonschema
import pytest
import yaml

from exporter import __version__
from exporter.commands.load import read_settings
from tests.fakes.charts import (
    CHART,
    MATRIX,
    NODE_LOGS,
    NODE_LOGS_BY_POD,
    helm,
    objects,
    one,
    pod,
    template,
)

pytestmark = pytest.mark.slow
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
SERVING = WORKLOADS - {"Job"}
with_any_values = pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)


def config_of(found, name, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(one(found, "ConfigMap", name)["data"]["config.yaml"])
    return read_settings(path)


@with_any_values
def test_lint_finds_nothing(values, tmp_path):
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))
    command = [helm(), "lint", "--strict", "--kube-version", "1.34.0", CHART, "-f", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@with_any_values
def test_the_exporter_takes_each_configuration(values, tmp_path):
    found = objects(values)
    configs = [each for each in found if "config.yaml" in each.get("data", {})]
    assert configs
    for each in configs:
        config_of(found, each["metadata"]["name"], tmp_path)


@with_any_values
def test_names_are_given_once(values):
    keys = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in objects(values)
    ]
    assert len(keys) == len(set(keys))


@with_any_values
def test_pods_are_as_small_as_can_be(values):
    for each in objects(values):
        if each["kind"] not in WORKLOADS:
            continue
        spec = each["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "memory" in container["resources"]["limits"]
        on_node = each["kind"] == "DaemonSet"
        assert spec["securityContext"].get("runAsNonRoot", False) is not on_node
        volumes, mounts = spec.get("volumes", []), container.get("volumeMounts", [])
        assert any("hostPath" in volume for volume in volumes) is on_node
        for volume in mounts:
            assert volume.get("readOnly") or volume["name"] == "state"
        assert {each["name"] for each in mounts} == {each["name"] for each in volumes}


def test_defaults():
    found = objects()
    assert sorted(each["kind"] for each in found) == [
        "ClusterRole",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ]
    assert one(found, "Deployment")["spec"]["replicas"] == 2
    (container,) = pod(found, "Deployment")["containers"]
    assert container["args"] == [
        "run",
        "--config.file=/etc/clusterset-exporter/config.yaml",
        "--log.level=info",
        "--log.format=logfmt",
    ]
    assert container["image"] == f"clusterset-exporter:{__version__}"
    assert yaml.safe_load(one(found, "ConfigMap")["data"]["config.yaml"]) == {
        "inventory": {
            "kubernetes": {"config_map": "clusterset-exporter", "lease": "clusterset-exporter"}
        },
        "logs": [{"pods": {}}],
        "state_directory": "/var/lib/clusterset-exporter",
    }


PLACED = MATRIX["placed"]
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
NARROW = MATRIX["a narrow network"]["networkPolicy"]


@pytest.mark.parametrize(
    ("values", "kind", "path", "expected"),
    [
        (PLACED, "Deployment", POD + ".priorityClassName", "system-cluster-critical"),
        (PLACED, "Deployment", POD + ".nodeSelector", PLACED["nodeSelector"]),
        (PLACED, "Deployment", POD + ".tolerations", PLACED["tolerations"]),
        (PLACED, "Deployment", POD + ".affinity", PLACED["affinity"]),
        (PLACED, "Deployment", POD + ".imagePullSecrets", PLACED["imagePullSecrets"]),
        (PLACED, "Deployment", "spec.template.metadata.annotations.a", "b"),
        (PLACED, "Deployment", "spec.template.metadata.labels.c", "d"),
        (PLACED, "Deployment", POD + ".topologySpreadConstraints", None),
        ({}, "Deployment", POD + ".priorityClassName", None),
        ({}, "NetworkPolicy", "spec.egress", [{}]),
        (
            {},
            "NetworkPolicy",
            "spec.ingress.0",
            {"ports": [{"port": "metrics", "protocol": "TCP"}]},
        ),
        ({"networkPolicy": NARROW}, "NetworkPolicy", "spec.egress", NARROW["egress"]),
        ({"networkPolicy": NARROW}, "NetworkPolicy", "spec.ingress.0.from", NARROW["from"]),
        ({}, "PodDisruptionBudget", "spec.maxUnavailable", 1),
        (
            {"serviceAccount": {"annotations": {"a": "b"}}},
            "ServiceAccount",
            "metadata.annotations.a",
            "b",
        ),
        ({"replicas": 3}, "Deployment", "spec.replicas", 3),
        (
            {"image": {"pullPolicy": "Always"}},
            "Deployment",
            CONTAINER + ".imagePullPolicy",
            "Always",
        ),
        (MATRIX["a digest"], "Deployment", CONTAINER + ".image", "r.example/x@sha256:" + "0" * 64),
        ({"image": {"tag": "t"}}, "Deployment", CONTAINER + ".image", "clusterset-exporter:t"),
        (
            {"resources": {"limits": {"memory": "1Gi"}}},
            "Deployment",
            CONTAINER + ".resources.limits.memory",
            "1Gi",
        ),
        (MATRIX["a service monitor"], "ServiceMonitor", "metadata.labels.release", "prom"),
        (
            {"serviceMonitor": {"enabled": True, "interval": "5s"}},
            "ServiceMonitor",
            "spec.endpoints.0.interval",
            "5s",
        ),
        ({"fullnameOverride": "other"}, "Deployment", "metadata.name", "other"),
    ],
)
def test_a_value_gets_where_it_belongs(values, kind, path, expected):
    found = one(objects(values), kind)
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found.get(step)
    assert found == expected


def test_replicas_are_kept_apart():
    (spread,) = pod(objects(), "Deployment")["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "kubernetes.io/hostname",
        "ScheduleAnyway",
    )
    labels = one(objects(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels.items()


def test_extra_objects_are_yaml_or_templates():
    names = {each["metadata"]["name"] for each in objects(MATRIX["extra objects"])}
    assert {"one", "clusterset-exporter-two"} <= names


def test_one_pod_has_no_budget_and_the_optional_is_left_out():
    kinds = {each["kind"] for each in objects({"replicas": 1})}
    assert "PodDisruptionBudget" not in kinds
    kinds = {each["kind"] for each in objects(MATRIX["without the optional"])}
    assert kinds == {"ConfigMap", "Deployment", "Service", "ServiceAccount"}


def test_shards_share_the_services_and_elect_nobody(tmp_path):
    found = objects({"shards": 3})
    (container,) = pod(found, "StatefulSet")["containers"]
    assert one(found, "StatefulSet")["spec"]["replicas"] == 3
    assert "--shard=auto" in container["args"]
    assert config_of(found, "clusterset-exporter", tmp_path).inventory.kubernetes.lease is None


def test_lines_are_read_once_and_probes_sent_once(tmp_path):
    found = objects(NODE_LOGS)
    assert not config_of(found, "clusterset-exporter", tmp_path).logs
    on_nodes = config_of(found, "clusterset-exporter-node-logs", tmp_path)
    (source,) = on_nodes.logs
    assert source.wrapper == "cri"
    assert on_nodes.inventory.kubernetes.lease is None
    assert on_nodes.inventory.kubernetes.config_map == "clusterset-exporter-node-logs"
    assert not on_nodes.probe.for_service("nginx-test/nginx").enabled
    namespace = one(found, "DaemonSet")["metadata"]["namespace"]
    assert namespace != one(found, "Deployment")["metadata"]["namespace"]
    labels = one(found, "Namespace", namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


@pytest.mark.parametrize(("shards", "kind"), [(1, "Deployment"), (2, "StatefulSet")])
def test_places_in_pod_logs_are_kept_over_restarts_of_the_container(tmp_path, shards, kind):
    found = objects({"shards": shards})
    where = config_of(found, "clusterset-exporter", tmp_path).state_directory
    (container,) = pod(found, kind)["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == where]
    (volume,) = [each for each in pod(found, kind)["volumes"] if each["name"] == mount["name"]]
    assert "emptyDir" in volume
    found = objects({"shards": shards, "podLogs": {"enabled": False}})
    assert config_of(found, "clusterset-exporter", tmp_path).state_directory is None


def test_on_nodes_the_pods_behind_exported_services_are_read(tmp_path):
    found = objects(NODE_LOGS_BY_POD)
    (source,) = config_of(found, "clusterset-exporter-node-logs", tmp_path).logs
    assert (source.by_pod, source.wrapper) == (True, "cri")
    assert source.files == ("/var/log/containers/*.log",)


def test_what_is_configured_goes_before_what_the_chart_makes(tmp_path):
    found = objects({"config": {"probe": {"interval": "30s"}, "logs": []}, "cluster": "east"})
    config = config_of(found, "clusterset-exporter", tmp_path)
    assert (config.cluster, str(config.probe.interval), config.logs) == ("east", "30s", ())
    assert config.inventory.kubernetes.lease == "clusterset-exporter"


def test_a_change_of_the_configuration_starts_new_pods():
    def checksum(values):
        metadata = one(objects(values), "Deployment")["spec"]["template"]["metadata"]
        return metadata["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"replicas": 3})
    assert checksum({}) != checksum({"config": {"leak_grace": "1m"}})


def test_pods_are_scraped_once():
    def annotated(values):
        metadata = one(objects(values), "Deployment")["spec"]["template"]["metadata"]
        return "prometheus.io/scrape" in metadata["annotations"]

    assert annotated({})
    assert not annotated({"serviceMonitor": {"enabled": True}})
    assert not annotated({"podMonitor": {"enabled": True}})


def test_selectors_find_the_pods():
    found = objects({"serviceMonitor": {"enabled": True}, **NODE_LOGS})
    for each in found:
        if each["kind"] not in SERVING:
            continue
        labels = each["spec"]["template"]["metadata"]["labels"].items()
        assert each["spec"]["selector"]["matchLabels"].items() <= labels
        name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
        service = one(found, "Service", name)
        assert service["metadata"]["namespace"] == namespace
        assert service["spec"]["selector"].items() <= labels
        policy = one(found, "NetworkPolicy", name)
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        monitor = one(found, "ServiceMonitor")["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert namespace in monitor["namespaceSelector"]["matchNames"]


def test_boards_and_rules_come_from_the_files_of_the_chart(tmp_path):
    chart = tmp_path / "clusterset-exporter"
    for path in CHART.rglob("*"):
        if path.is_file() and "files" not in path.parts:
            copy = chart / path.relative_to(CHART)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (chart / "files" / "boards").mkdir(parents=True)
    (chart / "files" / "rules").mkdir()
    board = json.dumps({"title": "a {{ board }}"})
    (chart / "files" / "boards" / "one.json").write_text(board)
    (chart / "files" / "rules" / "values.yaml").write_text("alerts: {for: 2m, more: 1}\n")
    rules = 'groups: [{name: "{{ .Values.alerts.for }} {{ .Values.alerts.more }}"}]'
    (chart / "files" / "rules" / "local.yaml.tpl").write_text(rules)
    values = {
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
        "alerts": {"for": "9m"},
    }
    found = objects(values, chart)
    assert one(found, "PrometheusRule")["spec"] == {"groups": [{"name": "9m 1"}]}
    config_map = one(found, "ConfigMap", "clusterset-exporter-one")
    assert config_map["data"] == {"one.json": board}
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replica": 1}, "additional properties 'replica' not allowed"),
        ({"image": {"digest": "sha256:12"}}, "/image/digest"),
        ({"replicas": "two"}, "/replicas"),
        ({"shards": 0}, "/shards"),
        ({"logLevel": "loud"}, "/logLevel"),
        ({"cluster": "East"}, "/cluster"),
        ({"podLogs": {"namespaces": ["*"]}}, "/podLogs/namespaces/0"),
        ({"prometheusRule": {"scopes": ["all"]}}, "/prometheusRule/scopes/0"),
        ({"nodeLogs": {"logs": [{"files": ["/x"]}]}}, "missing property 'service'"),
        ({"web": {"tls": True}}, "web.tls without web.secrets; name the Secret"),
        ({"web": {"kubernetes": True}}, "web.kubernetes without web.secrets; name the Secret"),
        (
            {"web": {"secrets": ["a"], "kubernetes": True}, "podMonitor": {"enabled": True}},
            "a PodMonitor cannot send Prometheus' own token; use serviceMonitor",
        ),
        ({"watchNamespaces": ["shop-*"]}, "/watchNamespaces/0"),
        ({"watchNamespaces": ["a", "a"]}, "/watchNamespaces"),
        ({"submarinerNamespace": "A"}, "/submarinerNamespace"),
        ({"web": {"secrets": ["Web"]}}, "/web/secrets/0"),
        ({"web": {"scrape": {"token": {}}}}, "/web/scrape"),
        ({"nodeLogs": {"enabled": True, "logs": []}}, "nodeLogs.logs is empty; name what to read"),
        ({"probeKey": {"create": True, "existingSecret": "a"}}, "are two keys; keep one"),
        (
            {"probeKey": {"create": True}, "karmada": {"enabled": True}},
            "kubectl create secret generic clusterset-exporter-probe-key",
        ),
        ({"openshift": "yes"}, "/openshift"),
        ({"namespaceOverride": "A"}, "/namespaceOverride"),
        ({"nameOverride": "a.b"}, "/nameOverride"),
        (
            {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
            "would scrape each pod twice; enable one",
        ),
    ],
)
def test_bad_values_are_refused_with_their_place(values, told):
    done = template(values)
    assert done.returncode != 0
    assert told in done.stderr


def test_each_value_has_a_schema_and_a_meaning():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.validate(values, schema)
    assert set(schema["properties"]) == set(values)
    readme = (CHART / "README.md").read_text()
    for name, value in values.items():
        assert f"| `{name}` |" in readme
        if isinstance(value, dict) and "properties" in schema["properties"][name]:
            (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{name}` |")]
            for inner in value:
                # A map in one line shows its keys in its own row.
                shown = f"{inner}:" in row or name == "resources"
                assert f"| `{name}.{inner}` |" in readme or shown
