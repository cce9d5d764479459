"""Fuzz targets: what an API server or a kubelet may answer."""

import asyncio
from contextlib import suppress

import msgspec

from exporter.accesslog.parse_pod import parse_pod
from exporter.apiserver.container import restarts
from exporter.apiserver.errors import ApiError
from exporter.apiserver.lease import Election
from exporter.apiserver.log_place import LogPlace, is_place, latest, since
from exporter.apiserver.new_lines import NewLines
from exporter.apiserver.recovery import Recovery
from exporter.apiserver.reflector import Reflector, Resource, _read_page
from exporter.apiserver.replies import decoded
from exporter.apiserver.store import BROKEN, Store
from exporter.discover.assemble import inventory
from exporter.discover.kubernetes import KubernetesInventory
from exporter.discover.resources import RESOURCES
from exporter.model.lines import LineSplitter
from tests.fakes.objects import HERE, NOW
from tests.fuzz.harness import Target, halves, loop

PARSERS = {wanted.name: wanted.parse for wanted in RESOURCES}
WORDS = (
    b'{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"b","resourceVersion":"7"}}}',
    b'{"type":"ERROR","object":{"code":410,"message":"gone"}}',
    b'"metadata":{"name":"nginx","namespace":"nginx-test","labels":{}}',
    b'"spec":{"ports":[{"port":80}],"type":"ClusterSetIP","ips":["10.1.0.1"]}',
    b'"endpoints":[{"addresses":["10.1.0.1"],"conditions":{"ready":true}}]',
    b'"multicluster.kubernetes.io/source-cluster":"a"',
    b'"resourceVersion":"18446744073709551616"',
    b"[" * 1000,
    b"9" * 400,
    b"\\ud800",
)


class Client:
    """An API server that always answers the same."""

    namespace = origin = "here"
    problem = ""

    def __init__(self, body: bytes = b"") -> None:
        self.body, self.recovery = body, Recovery()

    async def read(self, path, *_, **__):
        return decoded(self.body, f"GET {path}")

    async def create(self, path, _):
        return await self.read(path)

    update = create


def watched(parse):
    made = Reflector(
        Client(), Resource(version="v1", plural="things"), trim=parse, changed=lambda: None
    )
    made._place = "5"
    return made


def kept(store: Store) -> dict:
    return dict(store.objects)


def watch_lines(data: bytes) -> None:
    """Lines of a watch, cut anywhere, for each resource; then the inventory that they make."""
    objects, refused = {}, None
    for name, parse in PARSERS.items():
        made, lines = watched(parse), LineSplitter(1 << 16)
        try:
            for part in halves(data + b"\n"):
                made._read(lines, part)
        except ApiError as error:
            refused = error
        objects[name] = kept(made.store)
    inventory(objects, identity=HERE, now=NOW)
    if refused is not None:
        raise refused


def list_body(data: bytes) -> None:
    """A page of a list, for each resource; then the inventory that it makes."""
    page, objects = _read_page(data, "things"), {}
    for name, parse in PARSERS.items():
        store = Store(parse)
        for item in page.items or ():
            store.add(store.objects, store.broken, item)
        objects[name] = kept(store)
        assert all("\n" not in told for told in store.broken.values())
    inventory(objects, identity=HERE, now=NOW)


def pod_log(data: bytes) -> None:
    """A log that is cut anywhere; the place that is asked for next is text."""
    lines, splitter = NewLines(None), LineSplitter(1 << 16)
    for part in halves(data):
        lines.take(splitter, part)
        if lines.place is not None:
            lines.expect(lines.place)
            latest(lines.place, since(NOW)).stamp.decode()


def log_places(data: bytes) -> None:
    """The places of pod logs, as a checkpoint keeps them."""
    for place in msgspec.json.decode(data, type=dict[str, LogPlace]).values():
        if is_place(place):
            lines = NewLines(place)
            lines.expect(place)
            lines.take(LineSplitter(100), b"2022-07-07T07:42:11.000000001Z a\n")
            place.stamp.decode()


def one_object(data: bytes) -> None:
    """Single objects: a Lease that others wrote, a pod, our ConfigMap."""
    client = Client(data)
    found = decoded(data, "GET /")
    restarts(found, "app")
    with suppress(BROKEN):
        parse_pod(found)
    made = Election(client, namespace="a", name="b", identity="c", lease_duration=0.0)
    made._started = made._stopped = made._doubted = lambda: None

    async def used() -> None:
        for _ in range(3):
            await made._attempt()
        made._stop()
        await made._release()
        discovery = KubernetesInventory(
            client, setting="a", config_map="m", selection=None, unix=float, changed=None
        )
        await discovery._local._own_annotations()

    loop().run_until_complete(asyncio.wait_for(used(), 20))


TARGETS = (
    Target(name="watch-lines", check=watch_lines, errors=(ApiError,), words=WORDS),
    Target(name="list-body", check=list_body, errors=(ApiError,), words=WORDS),
    Target(
        name="pod-log",
        check=pod_log,
        words=(b"2022-07-07T07:42:11.000000001Z ", b"2022-07-07T07:42:11+01:00 ", b"\n"),
    ),
    Target(
        name="log-places",
        check=log_places,
        errors=(msgspec.DecodeError, UnicodeDecodeError),
        words=(b'"stamp":"', b'"lines":[1]', b"MjAyMi0wNy0wN1QwNzo0MjoxMVo="),
    ),
    Target(
        name="one-object",
        check=one_object,
        errors=(ApiError,),
        words=(
            b'"spec":{"holderIdentity":"x","leaseDurationSeconds":15,"renewTime":"2022-07-07T"}',
            b'"annotations":{"clusterset-exporter.io/handover":"{}"}',
            b'"leaseTransitions":1e400',
            *WORDS[2:],
        ),
    ),
)
