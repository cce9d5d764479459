"""The codec against dnspython, an implementation by others, and against garbage."""

import sys
from contextlib import suppress
from ipaddress import IPv4Address
from itertools import pairwise

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model.probes import ServiceAddress
from exporter.probe.dns.message import (
    MismatchError,
    Rcode,
    decode_query,
    decode_response,
    encode_query,
    encode_response,
)
from exporter.probe.dns.name import MalformedError, encode_name
from exporter.probe.dns.records import AliasLoopError, Type
from tests.fakes.depth import examples

NAME = "nginx.nginx-test.svc.clusterset.local"
A = IPv4Address("100.1.0.10")
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
names = st.lists(labels, min_size=1, max_size=9).map(".".join)
addresses = st.lists(st.ip_addresses(v=4), max_size=6, unique=True)


def answered(query, rows, **changes):
    """Return dnspython's response to our *query*, with the records in *rows*."""
    message = dns.message.make_response(dns.message.from_wire(query))
    for row in rows:
        message.answer.append(dns.rrset.from_text(*row))
    for name, value in changes.items():
        setattr(message, name, value)
    return message.to_wire()


@given(names, st.integers(0, 65535))
def test_dnspython_reads_our_queries(name, id_):
    message = dns.message.from_wire(encode_query(name, id_))
    (question,) = message.question
    assert message.id == id_
    assert message.flags == dns.flags.RD
    assert question.name == dns.name.from_text(name)
    assert question.rdtype == dns.rdatatype.A


@given(names, addresses, st.integers(0, 2**31 - 1))
def test_we_read_dnspythons_responses(name, found, ttl):
    query = encode_query(name, 7)
    rows = [(f"{name}.", ttl, "IN", "A", *map(str, found))] if found else []
    response = decode_response(answered(query, rows), query)
    assert response.services == ()
    assert (response.rcode, response.truncated) == (Rcode.NOERROR, False)
    assert sorted(response.addresses) == sorted(found)
    assert response.ttl == (ttl if found else None)


@given(names, addresses, st.sampled_from(Rcode), st.booleans())
def test_dnspython_reads_our_responses_and_so_do_we(name, found, rcode, truncated):
    wire = encode_query(name, 9)
    query = decode_query(wire)
    assert (query.name, query.type, query.recursion) == (name, Type.A, True)
    response = encode_response(query, rcode, found, ttl=5, truncated=truncated)
    message = dns.message.from_wire(response)
    assert message.rcode() == rcode
    assert bool(message.flags & dns.flags.TC) is truncated
    assert message.flags & dns.flags.AA
    assert {str(a) for rrset in message.answer for a in rrset} == set(map(str, found))
    read = decode_response(response, wire)
    assert read.addresses == (() if truncated else tuple(found))


def test_aliases_are_followed_and_the_smallest_ttl_counts():
    query = encode_query(NAME, 1)
    rows = [
        (f"{NAME}.", 300, "IN", "CNAME", "one.example."),
        ("two.example.", 90, "IN", "A", str(A)),
        ("ONE.example.", 20, "IN", "CNAME", "two.EXAMPLE."),
        ("unasked.example.", 1, "IN", "A", "192.0.2.1"),
    ]
    response = decode_response(answered(query, rows), query)
    assert (response.addresses, response.ttl) == ((A,), 20)


def test_an_alias_that_leads_nowhere_is_no_data():
    query = encode_query(NAME, 1)
    response = decode_response(answered(query, [(f"{NAME}.", 1, "IN", "CNAME", "x.y.")]), query)
    assert (response.rcode, response.addresses, response.ttl) == (Rcode.NOERROR, (), None)


def test_an_alias_loop_is_told():
    query = encode_query(NAME, 1)
    rows = [(f"{NAME}.", 1, "IN", "CNAME", "x.y."), ("x.y.", 1, "IN", "CNAME", f"{NAME}.")]
    with pytest.raises(AliasLoopError):
        decode_response(answered(query, rows), query)


def test_a_chain_of_aliases_may_be_as_long_as_resolvers_follow():
    query = encode_query(NAME, 1)
    hops = [f"{NAME}.", *(f"h{n}.example." for n in range(9))]
    rows = [(a, 9, "IN", "CNAME", b) for a, b in pairwise(hops)]
    end = (hops[8], 9, "IN", "A", str(A))
    assert decode_response(answered(query, [*rows[:8], end]), query).addresses == (A,)
    with pytest.raises(AliasLoopError):
        decode_response(answered(query, [*rows, (hops[9], 9, "IN", "A", str(A))]), query)


def test_a_truncated_response_says_so_and_nothing_else():
    query = encode_query(NAME, 1)
    wire = answered(query, [(f"{NAME}.", 1, "IN", "A", str(A))])
    cut = bytes([*wire[:2], wire[2] | 0x02, *wire[3:-3]])
    response = decode_response(cut, query)
    assert (response.truncated, response.addresses) == (True, ())


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(lambda q: b"", id="nothing"),
        pytest.param(lambda q: b"x" * 11, id="shorter than a header"),
        pytest.param(lambda q: q, id="our own query"),
        pytest.param(lambda q: b"\0\0" + answered(q, [])[2:], id="another id"),
        pytest.param(
            lambda q: answered(
                encode_query("evil.example", 1), [("evil.example.", 1, "IN", "A", "1.2.3.4")]
            ),
            id="another question",
        ),
        pytest.param(lambda q: answered(encode_query(NAME, 1, Type.AAAA), []), id="another type"),
    ],
)
def test_what_is_no_answer_to_us_is_a_strangers(wire):
    query = encode_query(NAME, 1)
    with pytest.raises(MismatchError):
        decode_response(wire(query), query)


def test_a_refusal_need_not_repeat_the_question():
    query = encode_query(NAME, 1)
    header = query[:2] + bytes([0x80, Rcode.SERVFAIL]) + bytes(8)
    assert decode_response(header, query).rcode == Rcode.SERVFAIL
    with pytest.raises(MismatchError):
        decode_response(query[:2] + bytes([0x80, Rcode.NOERROR]) + bytes(8), query)


def test_a_pointer_to_itself_ends():
    query = encode_query(NAME, 1)
    loop = query[:2] + b"\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00" + b"\xc0\x0c" + bytes(20)
    with pytest.raises(MalformedError):
        decode_response(loop, query)


@given(st.binary(max_size=600))
def test_garbage_is_an_error_of_ours(wire):
    query = encode_query(NAME, 1)
    for decode in (lambda: decode_response(wire, query), lambda: decode_query(wire)):
        with suppress(MalformedError, MismatchError):
            decode()


@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data):
    query = encode_query(NAME, 1)
    wire = bytearray(answered(query, [(f"{NAME}.", 5, "IN", "A", str(A), "100.2.0.10")]))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(12, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(12, len(wire)))])
    try:
        response = decode_response(cut, query)
    except (MalformedError, MismatchError):
        return
    assert len(response.addresses) <= 2


@pytest.mark.parametrize("name", ["a..b", "a" * 64, ".".join(["a" * 60] * 5), ""])
def test_a_name_that_cannot_be_asked_is_refused(name):
    with pytest.raises(ValueError, match=r"has a label|is longer"):
        encode_name(name)


def test_a_query_of_another_class_or_kind_is_refused():
    wire = encode_query(NAME, 1)
    for bad in (wire[:-2] + b"\0\3", wire[:4] + b"\0\2" + wire[6:], wire[:2] + b"\x80" + wire[3:]):
        with pytest.raises(MalformedError):
            decode_query(bad)


HEAD = b"\0\1\x80\0\0\1\0\1\0\0\0\0"
ASKED = encode_query(NAME, 1)
LONG = b"".join(bytes([60]) + b"x" * 60 for _ in range(5)) + b"\0"


def record(type_, data, *, length=None, name=b"\xc0\x0c"):
    size = len(data) if length is None else length
    return name + type_.to_bytes(2) + b"\0\1\0\0\0\5" + size.to_bytes(2) + data


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(record(Type.A, b"123"), id="an address of three bytes"),
        pytest.param(record(Type.A, b"1234", length=9), id="data cut"),
        pytest.param(record(Type.A, b"1234")[:8], id="record cut"),
        pytest.param(record(Type.CNAME, b"\1x\0y"), id="an alias that does not fill its record"),
        pytest.param(record(Type.A, b"1234", name=b"\x7fx\0"), id="a label too long"),
        pytest.param(record(Type.A, b"1234", name=LONG), id="a name too long"),
        pytest.param(record(Type.A, b"1234", name=b"\xc0"), id="a pointer cut"),
        pytest.param(b"\5x", id="a label cut"),
        pytest.param(b"", id="a record missing"),
    ],
)
def test_each_kind_of_damage_is_malformed(rest):
    with pytest.raises(MalformedError):
        decode_response(HEAD + ASKED[12:] + rest, ASKED)


def test_a_ttl_with_its_highest_bit_is_zero_and_other_records_do_not_count():
    other = record(16, b"text")
    address = b"\xc0\x0c\0\1\0\1\xff\xff\xff\xff\0\4" + A.packed
    head = HEAD[:6] + b"\0\2" + HEAD[8:]
    response = decode_response(head + ASKED[12:] + other + address, ASKED)
    assert (response.addresses, response.ttl) == ((A,), 0)


def test_a_dot_inside_a_label_is_not_two_labels():
    name = b"\3a.b\0"
    wire = ASKED[:12] + name + b"\0\1\0\1"
    assert decode_query(wire).name == r"a\.b"


def test_a_query_that_is_cut_is_refused():
    with pytest.raises(MalformedError):
        decode_query(ASKED[:-2])


sixes = st.lists(st.ip_addresses(v=6), max_size=6, unique=True)
ports = st.integers(0, 65535)
srvs = st.lists(st.builds(ServiceAddress, ports, ports, ports, names), max_size=5, unique=True)


@given(names, sixes, srvs, st.integers(0, 2**31 - 1))
def test_ipv6_and_services_survive_both_ways(name, addresses, services, ttl):
    for type_, found in ((Type.AAAA, addresses), (Type.SRV, services)):
        query = encode_query(name, 3, type_, edns=True)
        shown = [
            str(each)
            if type_ is Type.AAAA
            else f"{each.priority} {each.weight} {each.port} {each.target}."
            for each in found
        ]
        rows = [(f"{name}.", ttl, "IN", type_.name, *shown)] if found else []
        ours = encode_response(decode_query(query), 0, found, ttl=ttl)
        for wire in (answered(query, rows), ours):
            response = decode_response(wire, query)
            assert set(response.addresses or response.services) == set(found)
            assert response.ttl == (ttl if found else None)
        theirs = {each.to_text() for rrset in dns.message.from_wire(ours).answer for each in rrset}
        assert len(theirs) == len(found)


def test_edns_is_asked_for_and_its_code_is_read():
    query = encode_query(NAME, 1, edns=True)
    assert (dns.message.from_wire(query).edns, dns.message.from_wire(query).payload) == (0, 1232)
    message = dns.message.make_response(dns.message.from_wire(query))
    message.set_rcode(dns.rcode.BADVERS)
    assert decode_response(message.to_wire(), query).rcode == 16


def test_how_long_nothing_lasts_is_read_from_the_soa():
    query = encode_query(NAME, 1)
    message = dns.message.make_response(dns.message.from_wire(query))
    message.set_rcode(dns.rcode.NXDOMAIN)
    soa = ("clusterset.local.", 900, "IN", "SOA", "ns.x. admin.x. 1 7200 3600 86400 30")
    message.authority.append(dns.rrset.from_text(*soa))
    response = decode_response(message.to_wire(), query)
    assert (response.rcode, response.negative_ttl, response.ttl) == (3, 30, None)
    assert decode_response(answered(query, []), query).negative_ttl is None


def peer(wire, query):
    """Return what dnspython makes of a response: addresses that the name leads to, or None."""
    try:
        message = dns.message.from_wire(wire)
        if message.flags & dns.flags.TC or message.rcode() != 0:
            return None
        asked = dns.message.from_wire(query)
        return (
            {str(each) for each in message.resolve_chaining().answer or ()}
            if (message.question == asked.question)
            else None
        )
    except (dns.exception.DNSException, NotImplementedError, ValueError):
        return None


@settings(max_examples=examples(300))
@given(st.data())
def test_what_dnspython_and_we_both_read_we_read_alike(data):
    query = encode_query(NAME, 1)
    rows = [
        (f"{NAME}.", 9, "IN", "CNAME", "one.example."),
        ("one.example.", 20, "IN", "A", str(A), "100.2.0.10"),
    ]
    wire = bytearray(answered(query, rows))
    for _ in range(data.draw(st.integers(0, 3))):
        wire[data.draw(st.integers(len(query), len(wire) - 1))] = data.draw(st.integers(0, 255))
    theirs = peer(bytes(wire), query)
    try:
        ours = decode_response(bytes(wire), query)
    except (MalformedError, MismatchError):
        return
    if theirs is not None:
        assert {str(each) for each in ours.addresses} == theirs


def hostile_messages():
    """Yield messages as large as TCP takes, made to be read slowly."""
    query = encode_query(NAME, 1)
    head = query[:2] + b"\x80\0\0\1\xff\xff\0\0\0\0" + query[12:]
    room = 65535 - len(head)
    yield "65,535 answers promised", head + record(Type.A, A.packed) * (room // 16)
    yield "records of the root", head + record(16, b"", name=b"\0") * (room // 11)
    chain = b"".join(b"\1" + bytes([97 + n % 26]) for n in range(126)) + b"\0"
    first = head + record(16, chain)
    base = len(head) + 12
    rest = (room - len(chain) - 12) // 12
    yield (
        "pointers to each label of a long name",
        first
        + b"".join(
            record(16, b"", name=(0xC000 | base + 2 * (n % 126)).to_bytes(2)) for n in range(rest)
        ),
    )
    # Each name is a pointer to the name before it, and all beyond reach to the last within it.
    start, last = len(head), (0x3FFF - len(head)) // 12
    targets = (start + 12 * min(n - 1, last) if n else 12 for n in range(room // 12))
    stairs = head + b"".join(
        record(16, b"", name=(0xC000 | target).to_bytes(2)) for target in targets
    )
    yield "pointers to pointers", stairs
    yield "one-letter labels", head + (b"\1a" * 120 + b"\0\0\x10\0\1\0\0\0\5\0\0") * (room // 251)


@pytest.mark.parametrize(("kind", "wire"), list(hostile_messages()))
def test_the_worst_message_is_read_in_bounded_time(kind, wire):
    query = encode_query(NAME, 1)
    steps = 0

    def count(_, event, __):
        nonlocal steps
        steps += event == "line"
        return count

    sys.settrace(count)
    try:
        with suppress(MalformedError, MismatchError):
            decode_response(wire[:65535], query)
    finally:
        sys.settrace(None)
    # The worst takes 8 lines of code for each byte. The work must grow with the length alone.
    assert steps < 12 * len(wire[:65535]), kind


def test_a_pointer_may_only_lead_back():
    forward = record(Type.A, A.packed, name=b"\xc0\xff")
    with pytest.raises(MalformedError):
        decode_response(HEAD + ASKED[12:] + forward, ASKED)
