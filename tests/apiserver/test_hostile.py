"""Whatever a server sends, it is used, counted or an error of ours, and nothing else."""

import asyncio
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.apiserver.annotations import annotations_of
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError
from exporter.apiserver.lease import Election
from exporter.apiserver.lease_spec import spec_by
from exporter.apiserver.log_place import LogPlace, is_place, is_stamp, latest, since
from exporter.apiserver.new_lines import NewLines
from exporter.apiserver.reflector import Reflector, _read_page
from exporter.apiserver.replies import decoded
from exporter.apiserver.store import Store
from exporter.model.lines import LineSplitter
from tests.fakes.apiaccess import Fixed
from tests.fakes.depth import examples
from tests.fakes.reflecting import MAPS, trimmed

WORDS = st.sampled_from(
    [
        "ADDED",
        "MODIFIED",
        "DELETED",
        "BOOKMARK",
        "ERROR",
        "metadata",
        "name",
        "resourceVersion",
        "9" * 5000,
        "7",
        "\u0661",
        "",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "shop",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text() | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner),
    max_leaves=10,
)
META = st.fixed_dictionaries(
    {}, optional={"name": JSON, "namespace": JSON, "resourceVersion": JSON}
)
OBJECTS = st.fixed_dictionaries({}, optional={"metadata": META | JSON, "data": JSON}) | JSON
EVENTS = st.fixed_dictionaries({}, optional={"type": WORDS | JSON, "object": OBJECTS}) | JSON


@st.composite
def damaged(draw, whole):
    """Return JSON as bytes, some with a piece replaced by anything."""
    raw = bytearray(json.dumps(draw(whole)).encode())
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(raw).replace(b"\n", b" ")


@settings(max_examples=examples(300))
@given(st.lists(damaged(EVENTS) | st.binary(max_size=20), max_size=5))
def test_any_line_of_a_watch(lines):
    watched = Reflector(ApiClient(Fixed("")), MAPS, trim=trimmed, changed=lambda: None)
    watched._place = "7"
    splitter, seen = LineSplitter(1 << 20), 0
    for line in lines:
        try:
            watched._read(splitter, line + b"\n")
        except ApiError:
            seen += 1
    assert watched.bad_lines <= seen
    assert len(watched._place) <= 128


@settings(max_examples=examples(300))
@given(damaged(st.fixed_dictionaries({"metadata": META | JSON, "items": st.lists(OBJECTS) | JSON})))
def test_any_list(body):
    store, fresh, broken = Store(trimmed), {}, {}
    try:
        page = _read_page(body, "things")
    except ApiError:
        return
    for item in page.items or ():
        store.add(fresh, broken, item)
    store.replace(fresh, broken)


@given(st.dictionaries(WORDS, JSON) | st.fixed_dictionaries({"metadata": META | JSON}))
def test_any_annotations(found):
    assert isinstance(annotations_of(found), dict)


@given(damaged(JSON))
def test_any_document(body):
    with contextlib.suppress(ApiError):
        assert isinstance(decoded(body, "GET /"), dict)


@settings(max_examples=examples(300))
@given(st.lists(st.binary(max_size=60) | st.from_regex(rb"\A\d{4}-\d\d-\d\dT[ -~\xff]{0,20} a\n")))
def test_any_bytes_of_a_pods_log(chunks):
    lines, splitter = NewLines(None), LineSplitter(100)
    for chunk in chunks:
        lines.take(splitter, chunk)
        assert lines.place.stamp.isascii()
        lines.expect(lines.place)
        latest(lines.place, since(0))


@given(st.binary(max_size=40) | st.just(b"0001-01-01T00:00:00"), st.floats(allow_nan=False))
def test_any_place_of_a_log(stamp, unix):
    place = LogPlace(stamp=stamp)
    if is_place(place):
        assert latest(place, since(unix)).stamp.isascii()


class AnyLease:
    """An API server that has this Lease, and takes what is JSON."""

    def __init__(self, lease):
        self.lease = lease

    async def read(self, _):
        return self.lease

    async def update(self, _, body):
        return json.loads(json.dumps(body))


SPEC = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("holderIdentity", "leaseDurationSeconds", "renewTime", "acquireTime", "leaseTransitions"),
        JSON,
    ),
)


@settings(max_examples=examples(300))
@given(st.fixed_dictionaries({"metadata": JSON, "spec": SPEC | JSON}), st.booleans())
def test_any_lease(lease, leading):
    async def attempts():
        election = Election(
            AnyLease(lease), namespace="mon", name="one", identity="me", note=lambda: "left"
        )
        election._started = election._stopped = election._doubted = lambda: None
        election.leading = leading
        await election._attempt()
        assert len(election.holder) <= 300
        note, renewed = election.inherited
        assert isinstance(note, str)
        since(renewed or 0.0)
        since(election.free_since or 0.0)
        if election._watchdog is not None:
            election._watchdog.cancel()

    asyncio.run(attempts())


def test_the_number_of_holders_stays_a_number_that_a_lease_can_hold():
    assert spec_by({"leaseTransitions": 10**4299}, "me", 15.0)["leaseTransitions"] == 0


@pytest.mark.parametrize(
    ("text", "is_time"),
    [
        (b"2026-11-29T23:59:59.123456789Z", True),
        (b"2024-02-29T00:00:00+05:30", True),
        (b"2026-02-29T00:00:00Z", False),
        (b"2026-13-01T00:00:00Z", False),
        (b"2026-00-01T00:00:00Z", False),
        (b"2026-11-29T24:00:00Z", False),
        (b"2026-11-29T23:60:00Z", False),
        (b"2026-11-29T23:00:00+24:00", False),
        (b"0000-01-01T00:00:00Z", False),
        (b"rpc error: code = Unknown", False),
    ],
)
def test_what_only_looks_like_a_time_is_none(text, is_time):
    assert is_stamp(text) is is_time
    assert is_place(LogPlace(stamp=text)) is is_time
