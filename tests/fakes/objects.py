"""API objects for tests: YAML files, changed at will, trimmed as a reflector would do it."""

from copy import deepcopy
from pathlib import Path

import yaml

from exporter.discover.assemble import inventory
from exporter.discover.identity import Identity, IdentitySource
from exporter.discover.resources import RESOURCES, ROUTES

DATA = Path(__file__).parent.parent / "data" / "objects"
NOW = 1_760_000_000.0
"""When the gateways of the files last spoke."""
HERE = Identity(cluster="cluster1", source=IdentitySource.GATEWAY)


class Objects:
    """What an API server holds."""

    def __init__(self, file):
        self.all = list(yaml.safe_load_all((DATA / f"{file}.yaml").read_text()))

    def get(self, kind, name, namespace=None):
        """Return an object, to be changed in place."""
        (found,) = [each for each in self.all if self._is(each, kind, name, namespace)]
        return found

    def remove(self, kind, name, namespace=None):
        self.all.remove(self.get(kind, name, namespace))

    def copy(self, kind, name, *, into=None, **labels):
        """Add and return a copy in another namespace."""
        made = deepcopy(self.get(kind, name))
        made["metadata"]["namespace"] = into or made["metadata"].get("namespace")
        made["metadata"].setdefault("labels", {}).update(labels)
        self.all.append(made)
        return made

    def slice_of(self, cluster):
        """Return the slice that stands for *cluster*'s share."""
        label = "multicluster.kubernetes.io/source-cluster"
        (found,) = [
            each
            for each in self.all
            if each["kind"] == "EndpointSlice" and each["metadata"]["labels"].get(label) == cluster
        ]
        return found

    def name_server(self, *addresses, port=53, namespace="submariner-operator", ready=True):
        """Add the slice of Lighthouse's DNS service, with these replicas; return it."""
        name = "submariner-lighthouse-coredns"
        made = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{len(self.all)}",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": "udp", "port": port, "protocol": "UDP"}],
            "endpoints": [
                {"addresses": [each], "conditions": {"ready": ready}} for each in addresses
            ],
        }
        self.all.append(made)
        return made

    def not_ready(self, cluster):
        """Say that nothing behind *cluster*'s share is ready."""
        self.slice_of(cluster)["endpoints"][0]["conditions"]["ready"] = False

    def link(self, status):
        """Let the gateway say this of its tunnel to cluster2."""
        self.get("Gateway", "gw1")["status"]["connections"][0]["status"] = status

    def drop(self, *kinds):
        """Remove all objects of these kinds but what Kubernetes itself makes of a Service."""
        native = "kubernetes.io/service-name"
        self.all = [
            each
            for each in self.all
            if each["kind"] not in kinds or native in each["metadata"].get("labels", {})
        ]

    def unexport(self):
        """Take the export of cluster1 away, and what Lighthouse made of it."""
        self.remove("ServiceExport", "nginx")
        self.remove("EndpointSlice", "nginx-aaaaa")

    def trimmed(self, *, without=()):
        """Return what is kept, by resource."""
        kept = {}
        for wanted in (*RESOURCES, *ROUTES):
            served = self._served(wanted)
            if wanted.name in without or not any(g == wanted.group for g, _ in self._groups()):
                continue
            trimmed = {self._key(each): wanted.parse(each) for each in served}
            kept[wanted.name] = {key: each for key, each in trimmed.items() if each is not None}
        return kept

    def discover(self, *, without=(), identity=HERE, now=NOW, **how):
        return inventory(self.trimmed(without=without), identity=identity, now=now, **how)

    def _groups(self):
        for each in self.all:
            group, _, version = each["apiVersion"].rpartition("/")
            yield group, version

    def _served(self, wanted):
        for each in self.all:
            group, _, version = each["apiVersion"].rpartition("/")
            labels = each["metadata"].get("labels", {})
            if (
                group == wanted.group
                and version in wanted.versions
                and wanted.plural in {each["kind"].lower() + end for end in ("s", "es")}
                and (wanted.label_selector is None or wanted.label_selector in labels)
            ):
                yield each

    @staticmethod
    def _is(each, kind, name, namespace):
        meta = each["metadata"]
        return (each["kind"], meta["name"]) == (kind, name) and (
            namespace is None or meta["namespace"] == namespace
        )

    @staticmethod
    def _key(each):
        meta = each["metadata"]
        return f"{meta.get('namespace', '')}/{meta['name']}"
