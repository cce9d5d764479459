"""A real API server, one for all tests, and a small kubelet for logs."""

import asyncio
import itertools
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from tests.e2e.day import Day, NameServer
from tests.e2e.servers import Servers
from tests.fakes import certs, podlogs
from tests.fakes.apiaccess import EXPORTER, USERS, Access
from tests.fakes.apiserver import serving
from tests.fakes.described import with_cart
from tests.fakes.members import Member
from tests.fakes.servers import udp
from tests.fakes.virtual import until

LIMIT = 20.0
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SHARED = ("/api/v1/namespaces", CRDS)
"""What stays: nobody here can end a namespace, and each test asks for the kinds that it needs."""
_serial = itertools.count(1)


def kubelet(logs):
    """Serve *logs*, by namespace, pod and container, as a kubelet does; give the port."""

    async def handle(request):
        _, *whose = request.path.strip("/").split("/")
        log = logs.get(tuple(whose))
        return await podlogs.serve(request, log) if log else web.Response(status=404)

    return serving(handle, tls=certs.server_context())


class RealAccess(Access):
    """Into a real server, with what a test has to do to it from behind."""

    def __init__(self, servers, stack):
        super().__init__(servers.url, certs.pem(certs.authority()))
        self.servers, self._stack, self._logs, self._node = servers, stack, {}, None
        self._granted, self._made = set(), []

    async def call(self, method, path, body=None, **more):
        """Do as any access does, and remember what was made."""
        status, said = await super().call(method, path, body, **more)
        if (method, status) == ("POST", 201) and path not in SHARED:
            self._made.append(f"{path}/{said['metadata'].get('name')}")
        return status, said

    async def tidy(self):
        """Take away what is left of all that was made, newest first: a test may have failed."""
        for path in reversed(self._made):
            # Without a kubelet, a pod that is given time would stay for ever.
            await super().call("DELETE", path, {"gracePeriodSeconds": 0})
        self._made.clear()

    async def compact(self):
        await asyncio.to_thread(self.servers.compact)

    async def grant(self, *rules):
        """
        Allow the exporter these rules, and nothing else.

        A rule is (verb, resource) of any group; with a namespace as its third part it is for that.
        """
        for namespace in {rule[2] for rule in {*rules, *self._granted} if len(rule) > 2}:
            await self._bind([rule for rule in rules if rule[2:] == (namespace,)], namespace)
        await self._bind([rule for rule in rules if len(rule) == 2], None)
        await self._in_effect(set(rules))

    async def _bind(self, rules, namespace):
        base = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
        kind = "Role" if namespace else "ClusterRole"
        rows = [{"apiGroups": ["*"], "verbs": [v], "resources": [r]} for v, r, *_ in rules]
        role = {"metadata": {"name": "exporter-test"}, "rules": rows}
        await self._apply(f"{base}/{kind.lower()}s", role)
        group = "rbac.authorization.k8s.io"
        await self._apply(
            f"{base}/{kind.lower()}bindings",
            {
                "metadata": {"name": "exporter-test"},
                "roleRef": {"apiGroup": group, "kind": kind, "name": "exporter-test"},
                "subjects": [{"kind": "User", "name": USERS[EXPORTER], "apiGroup": group}],
            },
        )

    async def account(self, name, *paths):
        """Make an account that may get these paths; return a token of it."""
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mon"}})
        accounts = "/api/v1/namespaces/mon/serviceaccounts"
        await self.call("POST", accounts, {"metadata": {"name": name}})
        if paths:
            rules = [{"nonResourceURLs": paths, "verbs": ["get"]}]
            await self._apply(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
            group = "rbac.authorization.k8s.io"
            binding = {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "ServiceAccount", "namespace": "mon", "name": name}],
            }
            await self._apply(f"{RBAC}/clusterrolebindings", binding)
        made = await self.done("POST", f"{accounts}/{name}/token", {"spec": {}})
        return made["status"]["token"]

    async def _in_effect(self, rules):
        """Wait until the authorizer has heard of it."""
        known, self._granted = self._granted, rules
        async with self.client(EXPORTER) as client:

            async def holds(verb, resource, namespace=""):
                name, _, sub = resource.partition("/")
                wanted = bool({(verb, resource), (verb, resource, namespace)} & rules)
                return await client.may(verb, name, sub=sub, namespace=namespace) is wanted

            for each in known | rules:
                await until(lambda each=each: holds(*each), within=LIMIT)

    async def _apply(self, path, body):
        status, said = await self.call("POST", path, body)
        if status == 409:
            await self.done("PUT", f"{path}/{body['metadata']['name']}", body)
        else:
            assert status == 201, said

    async def install(self, group, plural, kind, *versions, scope="Namespaced"):
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = [
            {
                "name": version,
                "served": True,
                "storage": version == versions[0],
                "schema": {"openAPIV3Schema": schema},
            }
            for version in versions
        ]
        names = {
            "plural": plural,
            "singular": kind.lower(),
            "kind": kind,
            "listKind": f"{kind}List",
        }
        spec = {"group": group, "scope": scope, "names": names, "versions": served}
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.{group}",
                # The server wants a word about groups of Kubernetes itself.
                "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
            },
            "spec": spec,
        }
        await self.done("POST", CRDS, body)

        async def is_served():
            status, _ = await self.call("GET", f"/apis/{group}/{versions[0]}/{plural}")
            return status == 200

        await until(is_served, within=LIMIT)

    async def uninstall(self, group, plural):
        await self.done("DELETE", f"{CRDS}/{plural}.{group}")

    async def pod(self, namespace, name):
        """Make a pod with a container `app` on a node of ours; return its log."""
        if self._node is None:
            await self._join(await self._stack.enter_async_context(kubelet(self._logs)))
        await self.done(
            "POST",
            f"/api/v1/namespaces/{namespace}/pods",
            {
                "metadata": {"name": name},
                "spec": {
                    "nodeName": self._node,
                    "containers": [{"name": "app", "image": "none"}],
                    "automountServiceAccountToken": False,
                },
            },
        )
        return self._logs.setdefault((namespace, name, "app"), podlogs.Log())

    async def restart(self, namespace, name):
        """Start the container of a pod anew; return its log from now on."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        container = {"name": "app", "image": "none", "imageID": "", "ready": True}
        status = {"containerStatuses": [container | {"restartCount": 1}]}
        await self.done("PUT", f"{path}/status", await self.done("GET", path) | {"status": status})
        key = (namespace, name, "app")
        self._logs[key] = log = self._logs[key].renewed()
        return log

    async def _join(self, port):
        self._node = f"node-{next(_serial)}"
        node = await self.done("POST", "/api/v1/nodes", {"metadata": {"name": self._node}})
        await self.done(
            "PUT",
            f"/api/v1/nodes/{self._node}/status",
            node
            | {
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                }
            },
        )


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    with Servers(tmp_path_factory.mktemp("apiserver")) as started:
        yield started


@pytest.fixture
async def api(servers):
    async with AsyncExitStack() as stack:
        access = RealAccess(servers, stack)
        yield access
        # What comes next shares the server, also after a test that failed while it was down.
        if servers.processes["apiserver"].poll() is not None:
            servers.restart()
        await asyncio.to_thread(servers.wait)
        await access.tidy()


@pytest.fixture
async def cart(api):
    async for uid in with_cart(api):
        yield uid


@pytest.fixture
async def day(api, servers, tmp_path):
    """Yield a member cluster whose name server answers the truth; the API server may be killed."""
    member = Member(api, tmp_path)
    await member.fill()
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mon"}})
    name_server = NameServer()
    async with udp(name_server) as (port, _):
        yield Day(member, name_server, port)
    if servers.processes["apiserver"].poll() is not None:
        servers.restart()
    await asyncio.to_thread(servers.wait)
    await member.empty()
