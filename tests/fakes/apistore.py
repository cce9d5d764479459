"""What an API server keeps: objects, their history, and who may see them."""

import asyncio
import itertools
import json
import re
from collections import defaultdict, deque
from datetime import UTC, datetime

HISTORY = 100
KINDS = {
    ("", "namespaces"): ("Namespace", ["v1"]),
    ("", "nodes"): ("Node", ["v1"]),
    ("", "pods"): ("Pod", ["v1"]),
    ("", "services"): ("Service", ["v1"]),
    ("", "configmaps"): ("ConfigMap", ["v1"]),
    ("", "events"): ("Event", ["v1"]),
    ("discovery.k8s.io", "endpointslices"): ("EndpointSlice", ["v1"]),
    ("networking.k8s.io", "ingresses"): ("Ingress", ["v1"]),
    ("coordination.k8s.io", "leases"): ("Lease", ["v1"]),
    ("multicluster.x-k8s.io", "serviceexports"): ("ServiceExport", ["v1alpha1"]),
    ("authentication.k8s.io", "tokenreviews"): ("TokenReview", ["v1"]),
    ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", ["v1"]),
}
CLUSTER_WIDE = {"namespaces", "nodes", "tokenreviews", "subjectaccessreviews"}


class RefusedError(Exception):
    """What a server answers instead of an object."""

    def __init__(self, status, reason, message, **meta):
        super().__init__(message)
        self.status, self.reason, self.meta = status, reason, meta

    def body(self):
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.meta,
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.status,
        }


def gone(message="The provided continue parameter is too old", **meta):
    return RefusedError(410, "Expired", message, **meta)


class Store:
    """Objects of one cluster. *clock* gives creation times."""

    def __init__(self, history=HISTORY):
        self.version = 200
        self.kinds = {key: (kind, list(versions)) for key, (kind, versions) in KINDS.items()}
        self.objects = defaultdict(dict)
        self.history = defaultdict(lambda: deque(maxlen=history))
        self.forgotten = defaultdict(lambda: 100)
        """Up to which version a watch of a resource cannot begin."""
        self.compacted = 100
        self.pages = {}
        self.changed = asyncio.Event()
        self._serial = itertools.count(1)

    def truth(self, group, plural):
        """Return the objects as `namespace/name`, or name, to object."""
        return {
            "/".join(part for part in key if part): found
            for key, found in self.objects[group, plural].items()
        }

    def create(self, group, plural, namespace, found):
        meta = found.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{next(self._serial):05}"
        name = meta["name"]
        if (namespace, name) in self.objects[group, plural]:
            message = f'{plural}{"." if group else ""}{group} "{name}" already exists'
            raise RefusedError(409, "AlreadyExists", message)
        given = {
            "uid": f"uid-{next(self._serial)}",
            "creationTimestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        meta = meta | given | ({"namespace": namespace} if namespace else {})
        return self._put(group, plural, found | {"metadata": meta}, "ADDED")

    def update(self, group, plural, namespace, name, found):
        known = self.get(group, plural, namespace, name)
        version = found.get("metadata", {}).get("resourceVersion")
        if version and version != known["metadata"]["resourceVersion"]:
            message = (
                f'Operation cannot be fulfilled on {plural}{"." if group else ""}{group} "{name}": '
                "the object has been modified; please apply your changes to the latest version "
                "and try again"
            )
            raise RefusedError(409, "Conflict", message)
        meta = known["metadata"] | found.get("metadata", {})
        return self._put(group, plural, found | {"metadata": meta}, "MODIFIED")

    def patch(self, group, plural, namespace, name, changes):
        """Change the fields that *changes* has, as JSON merge patch does; no field is deleted."""
        known = self.get(group, plural, namespace, name)
        return self._put(group, plural, known | changes, "MODIFIED")

    def delete(self, group, plural, namespace, name):
        known = self.get(group, plural, namespace, name)
        deleted = self._put(group, plural, known, "DELETED")
        del self.objects[group, plural][namespace, name]
        return deleted

    def get(self, group, plural, namespace, name):
        try:
            return self.objects[group, plural][namespace, name]
        except KeyError:
            message = f'{plural}{"." if group else ""}{group} "{name}" not found'
            raise RefusedError(404, "NotFound", message) from None

    def _put(self, group, plural, found, change):
        self.version += 1
        found = found | {"metadata": found["metadata"] | {"resourceVersion": str(self.version)}}
        key = found["metadata"].get("namespace", ""), found["metadata"]["name"]
        before = self.objects[group, plural].get(key)
        self.objects[group, plural][key] = found
        kept = self.history[group, plural]
        if len(kept) == kept.maxlen:
            self.forgotten[group, plural] = kept[0][0]
        kept.append((self.version, change, before, found))
        self.wake()
        return found

    def wake(self):
        """Let the watches look."""
        self.changed, before = asyncio.Event(), self.changed
        before.set()

    def compact(self):
        """Forget what etcd does: old lists. Watches begin in a cache of their own."""
        self.compacted = self.version
        self.pages.clear()

    def forget(self):
        """Forget all history, as a server that was started again has."""
        self.compact()
        for key in self.kinds:
            self.forgotten[key] = self.version
            self.history[key].clear()

    def install(self, group, plural, kind, *versions):
        self.kinds[group, plural] = (kind, list(versions))

    def uninstall(self, group, plural):
        """Take a definition away, and first its objects."""
        for namespace, name in list(self.objects[group, plural]):
            self.delete(group, plural, namespace, name)
        del self.kinds[group, plural]
        self.wake()

    def list(self, group, plural, namespace, query):
        """Return a list or a page of it."""
        matches = selector(namespace, query)
        token = query.get("continue")
        if token:
            if token not in self.pages:
                raise gone(**{"continue": "inconsistent"})
            version, items = self.pages[token]
        else:
            version = self.version
            if query.get("resourceVersionMatch") == "Exact":
                version = int(query["resourceVersion"])
                if version < self.compacted:
                    message = f"The resourceVersion for the provided list is too old: {version}"
                    raise gone(message)
            found = sorted(self.objects[group, plural].items())
            items = [each for _, each in found if matches(each)]
        meta = {"resourceVersion": str(version)}
        limit = int(query.get("limit") or 0)
        if limit and len(items) > limit:
            token = json.dumps(["page", version, next(self._serial)])
            items, rest = items[:limit], items[limit:]
            self.pages[token] = version, rest
            meta |= {"continue": token}
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                meta |= {"remainingItemCount": len(rest)}
        return meta, items

    def events_after(self, version, group, plural, matches):
        """Return the changes after *version* as a watch with a selector shows them."""
        if version < self.forgotten[group, plural]:
            message = f"too old resource version: {version} ({self.forgotten[group, plural]})"
            raise gone(message)
        for at, change, before, after in list(self.history[group, plural]):
            if at <= version:
                continue
            was = before is not None and matches(before)
            now = change != "DELETED" and matches(after)
            if now:
                yield at, "MODIFIED" if was else "ADDED", after
            elif was:
                yield at, "DELETED", after


def selector(namespace, query):
    """Return whether an object is in *namespace* (all, if empty) and matches the selectors."""
    labels = list(_requirements(query.get("labelSelector", "")))
    fields = [each.split("=", 1) for each in query.get("fieldSelector", "").split(",") if each]

    def matches(found):
        meta = found["metadata"]
        return (
            (not namespace or meta.get("namespace") == namespace)
            and all(holds(meta.get("labels") or {}) for holds in labels)
            and all(_field(found, key) == value for key, value in fields)
        )

    return matches


def _field(found, path):
    for key in path.split("."):
        found = found.get(key) or {}
    return found


def _requirements(text):
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", text):
        yield _requirement(part.strip())


def _requirement(text):
    if several := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", text):
        values = {each.strip() for each in several[3].split(",")}
        return lambda labels: (labels.get(several[1]) in values) is (several[2] == "in")
    if one := re.fullmatch(r"([^!=]+)(==?|!=)(.*)", text):
        return lambda labels: (labels.get(one[1]) == one[3]) is (one[2] != "!=")
    return lambda labels: (text.lstrip("!") in labels) is not text.startswith("!")
