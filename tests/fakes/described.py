"""Kubernetes Events about the Service `cart`, and what `kubectl describe` shows of them."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from exporter.apiserver.events import EventWriter
from exporter.model.clusterset import ServiceName
from exporter.model.service_events import EventKey, EventReason, ServiceEvent
from exporter.model.stages import UNWATCHED
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.virtual import until

LIMIT = 20.0
NAMESPACE = "shop-events"
CART = ServiceName(NAMESPACE, "cart")
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
RIGHTS = [("create", "events"), ("patch", "events"), ("list", "services")]
UNIX = 1_800_000_000.0


async def with_cart(api):
    """Make the Service; yield its UID."""
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    spec = {"ports": [{"port": 80}]}
    made = await api.done("POST", SERVICES, {"metadata": {"name": "cart"}, "spec": spec})
    await api.grant(*RIGHTS)
    yield made["metadata"]["uid"]
    await api.done("DELETE", f"{SERVICES}/cart")
    for each in (await api.done("GET", EVENTS))["items"]:
        await api.done("DELETE", f"{EVENTS}/{each['metadata']['name']}")


class Written:
    """What a writer says."""

    def __init__(self, writer):
        self.writer, self.problems = writer, {}

    def problem(self, what, message):
        self.problems[what] = message

    def solved(self, what):
        self.problems.pop(what, None)


@asynccontextmanager
async def writing(api, *namespaces, instance="exporter-0"):
    async with api.client(EXPORTER) as client:
        written = Written(None)
        written.writer = writer = EventWriter(
            client, instance=instance, problem=written.problem, solved=written.solved
        )
        task = asyncio.create_task(writer.run(namespaces, UNWATCHED))
        # Before its first turn it takes nothing.
        await asyncio.sleep(0)
        yield written
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert written.problems == {}


def happened(reason=EventReason.FAILED_OVER, text="it moved", *, service=CART, source="", at=0.0):
    key = EventKey(service, reason, source)
    return ServiceEvent(key=key, text=text, unix=UNIX + at)


async def described(api, uid):
    """Return the events as `kubectl describe service` asks for them."""
    about = {"name": "cart", "namespace": NAMESPACE, "kind": "Service", "uid": uid}
    wanted = ",".join(f"involvedObject.{key}={value}" for key, value in about.items())
    items = (await api.done("GET", EVENTS, fieldSelector=wanted))["items"]
    # A real API server tells of addresses of Services itself.
    ours = [each for each in items if "clusterset-exporter" in _who(each)]
    return sorted(ours, key=lambda each: each["lastTimestamp"])


def _who(event):
    return event.get("reportingComponent"), event.get("source", {}).get("component")


async def until_told(api, uid, *told, within=LIMIT):
    """Wait until the events say this: reason, count and message."""

    async def holds():
        found = await described(api, uid)
        return [(e["reason"], e["count"], e["message"]) for e in found] == list(told)

    await until(holds, within=within)
