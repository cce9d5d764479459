"""The chart as Helm renders it."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "clusterset-exporter"
NAMESPACE = "clusterset-exporter"


def helm():
    """Return the path of helm; without it skip the test, or fail it in CI, and say so."""
    found = subprocess.run(
        [ROOT / "tests" / "install-helm", "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        message = "no helm of the version tested; make deploy gets it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found.stdout.strip()


def template(values, chart=CHART, release="clusterset-exporter", more=()):
    """
    Return what helm template says for these values: its code, its output, its errors.

    *more* are further arguments, such as --api-versions.
    """
    return subprocess.run(
        [
            helm(),
            "template",
            release,
            chart,
            "-n",
            NAMESPACE,
            "--kube-version",
            "1.34.0",
            "-f",
            "-",
            *more,
        ],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=False,
    )


def objects(values=None, chart=CHART, release="clusterset-exporter"):
    """Return the objects of the chart for these values."""
    done = template(values or {}, chart, release)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def one(found, kind, name=None):
    """Return the only object of *kind*, or that of this name."""
    (match,) = [
        each for each in found if each["kind"] == kind and name in (None, each["metadata"]["name"])
    ]
    return match


def pod(found, kind):
    return one(found, kind)["spec"]["template"]["spec"]


NODE_LOGS = {
    "nodeLogs": {
        "enabled": True,
        "logs": [
            {
                "files": ["/var/log/containers/nginx-*_nginx-test_*.log"],
                "service": "nginx-test/nginx",
            }
        ],
    }
}
NODE_LOGS_BY_POD = {"nodeLogs": {"enabled": True}}
MATRIX = {
    "defaults": {},
    "one replica": {"replicas": 1},
    "shards": {"shards": 3},
    "node logs": NODE_LOGS,
    "node logs by pod": NODE_LOGS_BY_POD,
    "no pod logs": {"podLogs": {"enabled": False}},
    "pod logs of two namespaces": {"podLogs": {"namespaces": ["shop", "nginx-test"]}},
    "two namespaces": {"watchNamespaces": ["shop", "nginx-test"]},
    "two namespaces without Submariner": {
        "watchNamespaces": ["shop", "nginx-test"],
        "submarinerNamespace": "",
        "podLogs": {"namespaces": ["shop"]},
    },
    "two namespaces on nodes and by Karmada": {
        "watchNamespaces": ["shop", "submariner-operator"],
        "karmada": {"enabled": True},
        "config": {"logs": [{"pods": {}}]},
        **NODE_LOGS_BY_POD,
    },
    "logs of gateways": {
        "gatewayLogs": {"namespaces": ["shop", "nginx-test"], "routes": True},
        "config": {
            "logs": [
                {
                    "pods": {"namespace": "shop", "selector": "app=x"},
                    "format": "traefik-json",
                    "service": {"route": True},
                }
            ]
        },
    },
    "logs of gateways by Karmada": {
        "watchNamespaces": ["nginx-test"],
        "gatewayLogs": {"namespaces": ["shop"], "routes": True},
        "karmada": {"enabled": True},
    },
    "events": {"events": True, **NODE_LOGS_BY_POD},
    "events of two namespaces by Karmada": {
        "watchNamespaces": ["shop", "nginx-test"],
        "config": {"inventory": {"kubernetes": {"events": True}}},
        "karmada": {"enabled": True},
    },
    "tokens": {
        "web": {"secrets": ["web"], "tls": True, "kubernetes": True},
        "serviceMonitor": {"enabled": True},
        **NODE_LOGS,
    },
    "a key that is there": {"probeKey": {"existingSecret": "mine"}, **NODE_LOGS},
    "a key that is made": {"probeKey": {"create": True}, **NODE_LOGS},
    "a cluster by name": {"cluster": "east", "config": {"probe": {"interval": "30s"}}},
    "a digest": {"image": {"repository": "r.example/x", "digest": "sha256:" + "0" * 64}},
    "passwords": {"web": {"secrets": ["web"]}, "podMonitor": {"enabled": True}},
    "tls": {
        "web": {
            "secrets": ["web", "certificate"],
            "tls": True,
            "scrape": {
                "tlsConfig": {"ca": {"secret": {"name": "certificate", "key": "ca.crt"}}},
                "basicAuth": {
                    "username": {"name": "scrape", "key": "user"},
                    "password": {"name": "scrape", "key": "password"},
                },
            },
        },
        "serviceMonitor": {"enabled": True},
        "karmada": {"enabled": True},
        **NODE_LOGS,
    },
    "a service monitor": {"serviceMonitor": {"enabled": True, "labels": {"release": "prom"}}},
    "a pod monitor": {"podMonitor": {"enabled": True}, **NODE_LOGS},
    "karmada": {"karmada": {"enabled": True}, "probeKey": {"existingSecret": "mine"}},
    "karmada with all": {
        "karmada": {"enabled": True},
        "serviceMonitor": {"enabled": True},
        "shards": 2,
        "podLogs": {"namespaces": ["shop"]},
        "probeKey": {"existingSecret": "mine"},
        **NODE_LOGS,
    },
    "placed": {
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"c": "d"},
        "topologySpread": False,
    },
    "a narrow network": {
        "networkPolicy": {
            "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
        }
    },
    "without the optional": {
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "scrapeAnnotations": {"enabled": False},
        "rbac": {"create": False},
    },
    "extra objects": {
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}},
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-two'}",
        ]
    },
}
CI = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text())
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
"""The values with which tools such as chart-testing install the chart."""
