"""A small client of the node's API server, for tests that wait for one thing after another."""

import json
import ssl
import time
import urllib.error
import urllib.request

from tests.e2e.servers import ADMIN

LIMIT = 90.0
"""Seconds for what takes a few on a machine that is not busy."""
PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "Cluster": "clusters",
    "Gateway": "gateways",
    "Endpoint": "endpoints",
    "Submariner": "submariners",
}
OF_CLUSTER = {"Namespace", "Node", "CustomResourceDefinition"}


def path_of(found, *, name=True):
    """Return where the API server has an object, or its collection."""
    api, kind, about = found["apiVersion"], found["kind"], found["metadata"]
    base = f"/apis/{api}" if "/" in api else f"/api/{api}"
    where = "" if kind in OF_CLUSTER else f"/namespaces/{about['namespace']}"
    plural = PLURALS.get(kind, f"{kind.lower()}s")
    return f"{base}{where}/{plural}" + (f"/{about['name']}" if name else "")


class Kube:
    """The API server at *url*, as somebody who may do anything."""

    def __init__(self, url, authority):
        self.url = url
        self._context = ssl.create_default_context(cafile=authority)

    def call(self, method, path, body=None, kind="application/json"):
        """Return status and body."""
        asked = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind},
            method=method,
        )
        try:
            with urllib.request.urlopen(asked, timeout=10, context=self._context) as reply:
                text, status = reply.read(), reply.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def get(self, path):
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def items(self, path):
        return self.get(path)["items"]

    def make(self, found):
        status, body = self.call("POST", path_of(found, name=False), found)
        assert status in {201, 409}, body
        return body

    def patch(self, path, body, kind="application/merge-patch+json"):
        status, said = self.call("PATCH", path, body, kind)
        assert status == 200, said
        return said

    def delete(self, path, **options):
        status, said = self.call("DELETE", path, options or None)
        assert status in {200, 202, 404}, said

    def install(self, group, version, plural, kind):
        """Have the server know a kind whose objects may hold anything."""
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = {"name": version, "served": True, "storage": True}
        names = {
            "plural": plural,
            "singular": kind.lower(),
            "kind": kind,
            "listKind": f"{kind}List",
        }
        self.make(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": names,
                    "versions": [served | {"schema": {"openAPIV3Schema": schema}}],
                },
            }
        )
        path = f"/apis/{group}/{version}/{plural}"
        until(lambda: self.call("GET", path)[0] == 200, f"{plural} are served")


def until(holds, what, within=LIMIT):
    """Wait until *holds* returns something true; return that."""
    end = time.monotonic() + within
    while True:
        if found := holds():
            return found
        assert time.monotonic() < end, f"after {within:.0f} s it is not so that {what}"
        time.sleep(0.1)
