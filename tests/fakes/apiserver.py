"""A stateful API server in this process, which also does all that one should not."""

import asyncio
import contextlib
import json
import random

from aiohttp import web

from tests.fakes import apireviews, podlogs
from tests.fakes.apistore import CLUSTER_WIDE, RefusedError, Store, selector

BOOKMARK_BEFORE_END = 2.0
MERGE_PATCH = "application/merge-patch+json"
SSAR = "selfsubjectaccessreviews"


class Asked:
    """What a request is about."""

    def __init__(self, request, now):
        self.request, self.tamper = request, _untouched
        self.at, self.method, self.query = now, request.method, request.query
        parts = request.path.strip("/").split("/")
        self.group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        self.api_version, *rest = rest or [""]
        self.namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            self.namespace, rest = rest[1], rest[2:]
        self.plural, self.name, self.sub = (*rest, "", "", "")[:3]
        self.verb = self._verb()

    def _verb(self):
        if self.method == "GET" and not self.name:
            return "watch" if self.query.get("watch") in {"true", "1"} else "list"
        verbs = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}
        return verbs.get(self.method, self.method.lower())

    @property
    def resource(self):
        return f"{self.plural}{'/' if self.sub else ''}{self.sub}"


class ApiServer:
    """
    One API server.

    Attributes:
        store: What it keeps.
        asked: All requests, in order.
        faults: See `tests.fakes.apifaults`; the first that matches a request is done to it.
        tokens: Who bears which; empty if anybody may come.
        rules: Per user, the (verb, resource) it may, or (verb, resource, namespace); None in place
            of the set: all.
        urls: Per user, the (verb, path) without a resource that it may.
        bookmarks: Seconds between bookmarks; None for one before the end of a busy watch.
    """

    def __init__(self, store=None):
        self.store = store or Store()
        self.asked, self.faults = [], []
        self.tokens, self.rules, self.urls = {}, {}, {}
        self.logs = {}
        self.bookmarks = None
        self.url = ""

    def log(self, namespace, pod, container="app"):
        return self.logs.setdefault((namespace, pod, container), podlogs.Log())

    async def handle(self, request):
        asked = Asked(request, asyncio.get_running_loop().time())
        self.asked.append(asked)
        for fault in self.faults:
            if fault.wants(asked):
                reply = await fault.answer(self, asked)
                if reply is not None:
                    return reply
                break
        return await self.answer(asked)

    async def answer(self, asked):
        """Answer as a server should."""
        request = asked.request
        try:
            user = self._user(request)
            return await self._answer(asked, request, user)
        except RefusedError as error:
            return web.json_response(error.body(), status=error.status)

    def _user(self, request):
        if not self.tokens:
            return request.headers.get("X-User", "admin")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        return self.tokens[token]

    def may(self, user, verb, resource, namespace):
        rules = self.rules.get(user)
        return rules is None or bool({(verb, resource), (verb, resource, namespace)} & set(rules))

    async def _answer(self, asked, request, user):
        if asked.plural == SSAR and asked.verb == "create":
            return self._review(await request.json(), user)
        if asked.api_version and not asked.plural:
            return self._resources(asked)
        if not self.may(user, asked.verb, asked.resource, asked.namespace):
            message = (
                f"{asked.plural}{'.' if asked.group else ''}{asked.group} is forbidden: "
                f'User "{user}" cannot {asked.verb} resource "{asked.resource}" '
                f'in API group "{asked.group}"'
            )
            raise RefusedError(403, "Forbidden", message)
        kind, versions = self.store.kinds.get((asked.group, asked.plural), ("", []))
        if asked.api_version not in versions:
            return web.Response(text="404 page not found\n", status=404)
        if asked.plural == "pods" and asked.sub == "log":
            return await self._log(asked, request)
        if asked.verb == "watch":
            return await self._watch(asked, request)
        return await self._document(asked, request, kind)

    def _resources(self, asked):
        names = [
            {"name": plural, "kind": kind, "namespaced": plural not in CLUSTER_WIDE}
            for (group, plural), (kind, versions) in self.store.kinds.items()
            if group == asked.group and asked.api_version in versions
        ]
        if not names:
            return web.Response(text="404 page not found\n", status=404)
        return web.json_response({"kind": "APIResourceList", "resources": names})

    def _review(self, body, user):
        wanted = body["spec"]["resourceAttributes"]
        sub = wanted.get("subresource")
        resource = f"{wanted['resource']}{f'/{sub}' if sub else ''}"
        allowed = self.may(user, wanted["verb"], resource, wanted.get("namespace"))
        return web.json_response(body | {"status": {"allowed": allowed}}, status=201)

    async def _document(self, asked, request, kind):
        store, key = self.store, (asked.group, asked.plural)
        namespace = "" if asked.plural in CLUSTER_WIDE else asked.namespace
        version = f"{asked.group}/{asked.api_version}".strip("/")
        about = {"apiVersion": version, "kind": kind}
        status = 200
        match asked.verb:
            case "list":
                meta, items = store.list(*key, namespace, asked.query)
                listed = {"kind": f"{kind}List", "apiVersion": version, "metadata": meta}
                # Typed objects of a list are without kind and apiVersion.
                return web.json_response(listed | {"items": items})
            case "get":
                found = store.get(*key, namespace, asked.name)
            case "create" if asked.plural in apireviews.KINDS:
                return apireviews.answer(self, asked.plural, await request.json())
            case "create":
                found, status = store.create(*key, namespace, await request.json()), 201
            case "update":
                found = store.update(*key, namespace, asked.name, await request.json())
            case "patch" if request.content_type == MERGE_PATCH:
                found = store.patch(*key, namespace, asked.name, await request.json())
            case "delete":
                found = store.delete(*key, namespace, asked.name)
            case verb:
                raise RefusedError(405, "MethodNotAllowed", f"no {verb} here")
        return web.json_response(about | found, status=status)

    async def _log(self, asked, request):
        container = asked.query.get("container", "app")
        name = (asked.namespace, asked.name, container)
        if not any(key[:2] == name[:2] for key in self.logs):
            raise RefusedError(404, "NotFound", f'pods "{asked.name}" not found')
        log = self.logs.get(name)
        if log is None:
            message = f"container {container} is not valid for pod {asked.name}"
            raise RefusedError(400, "BadRequest", message)
        if log.waiting:
            message = (
                f'container "{container}" in pod "{asked.name}" is waiting to start: '
                "ContainerCreating"
            )
            raise RefusedError(400, "BadRequest", message)
        if asked.query.get("previous") == "true" and log.previous is None:
            raise RefusedError(400, "BadRequest", podlogs.NOTHING_BEFORE)
        return await podlogs.serve(request, log)

    async def _watch(self, asked, request):
        reply = web.StreamResponse(headers={"Content-Type": "application/json"})
        await reply.prepare(request)
        seconds = float(asked.query.get("timeoutSeconds") or random.uniform(1800, 3600))
        async for number, line in _numbered(self._lines(asked, seconds)):
            for part in asked.tamper(number, line):
                await part if asyncio.iscoroutine(part) else await reply.write(part)
        await reply.write_eof()
        return reply

    async def _lines(self, asked, seconds):
        """Yield the lines of a watch until its end."""
        end, key = self._now() + seconds, (asked.group, asked.plural)
        kind, (version, *_) = self.store.kinds[key]
        about = {"kind": kind, "apiVersion": f"{asked.group}/{version}".strip("/")}
        matches = selector("" if asked.plural in CLUSTER_WIDE else asked.namespace, asked.query)
        at = begin = int(asked.query.get("resourceVersion") or "0")
        if at == 0:
            at = self.store.version
            for found in filter(matches, self.store.truth(*key).values()):
                yield _line("ADDED", about | found)
        marks = asked.query.get("allowWatchBookmarks") == "true"
        mark_at, busy = self._next_mark(end) if marks else end, False
        while self._now() < end and key in self.store.kinds:
            # As of now: while a slow client takes these, more may come.
            changed, latest = self.store.changed, self.store.version
            try:
                for _, change, found in self.store.events_after(at, *key, matches):
                    busy = True
                    yield _line(change, about | found)
            except RefusedError as error:
                yield _line("ERROR", error.body())
                return
            at = max(at, latest) if begin <= latest else at
            if self._now() >= mark_at:
                mark_at = self._next_mark(end)
                if self.bookmarks or busy:
                    yield _line("BOOKMARK", about | {"metadata": {"resourceVersion": str(at)}})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(end, mark_at)):
                    await changed.wait()

    def _now(self):
        return asyncio.get_running_loop().time()

    def _next_mark(self, end):
        """Return when the next bookmark is due."""
        now = self._now()
        if self.bookmarks:
            return min(now + self.bookmarks, end)
        at = end - BOOKMARK_BEFORE_END
        return at if now < at else end


def _line(change, found):
    return json.dumps({"type": change, "object": found}).encode() + b"\n"


def _untouched(_, line):
    yield line


async def _numbered(lines):
    number = 0
    async for line in lines:
        yield number, line
        number += 1


@contextlib.asynccontextmanager
async def running(server, *, tls=None, port=0):
    """Serve on a free port of loopback; *tls* is a server's SSL context."""
    async with serving(server.handle, tls=tls, port=port) as server.port:
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        yield server


@contextlib.asynccontextmanager
async def serving(handle, *, tls=None, port=0):
    """Have *handle* answer all requests; give the port. All connections end with it, at once."""
    transports = set()

    async def handled(request):
        if request.transport is not None:
            transports.add(request.transport)
        return await handle(request)

    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{path:.*}", handled)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        # A farewell of TLS that the other side does not answer would outlive the loop.
        for transport in transports:
            transport.abort()
        await runner.cleanup()
