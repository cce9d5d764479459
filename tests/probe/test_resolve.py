"""Look-ups against real servers, well-behaved and hostile."""

import asyncio
import socket
import time
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain

import pytest

from exporter.model.probes import Failure, Lookup, Record, ServiceAddress
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from exporter.probe.drivers.runner import run_alone
from exporter.probe.resolve import Server, resolve
from tests.fakes.servers import HOST, open_files, tcp, udp

NAME = "nginx.nginx-test.svc.clusterset.local"
A, B = ip_address("100.1.0.10"), ip_address("100.2.0.10")
SIX = ip_address("fd00::1")


def says(rcode=0, *addresses, **words):
    """Return a server that gives this answer to everything."""

    def answer(query):
        return [dns.encode_response(dns.decode_query(query), rcode, addresses, **words)]

    return answer


def silent(_):
    return []


async def ask(port, *more, within=30.0):
    servers = [Server(HOST, each) for each in (port, *more)]
    return await run_alone(resolve(NAME, servers, within=within))


async def test_an_answer():
    began = time.monotonic()
    async with udp(says(0, A, ttl=5)) as (port, _):
        answer = await ask(port)
    assert (answer.addresses, answer.ttl, answer.rcode) == ((A,), 5, "NOERROR")
    assert (answer.resolver, answer.failure) == (f"{HOST}:{port}", None)
    assert 0 < answer.took <= time.monotonic() - began


@pytest.mark.parametrize(
    ("rcode", "name", "failure"),
    [
        (0, "NOERROR", Failure.NODATA),
        (1, "FORMERR", Failure.RCODE),
        (2, "SERVFAIL", Failure.SERVFAIL),
        (3, "NXDOMAIN", Failure.NXDOMAIN),
        (4, "NOTIMP", Failure.NOTIMP),
        (5, "REFUSED", Failure.REFUSED),
        (10, "NOTZONE", Failure.NOTZONE),
        (11, "RCODE11", Failure.RCODE),
    ],
)
async def test_each_code_has_its_reason(rcode, name, failure):
    async with udp(says(rcode)) as (port, _):
        answer = await ask(port)
    assert (answer.rcode, answer.failure, answer.addresses) == (name, failure, ())


async def test_each_query_has_a_source_port_of_its_own():
    async with udp(says(0, A)) as (port, peers):
        for _ in range(20):
            await ask(port)
    assert len(set(peers)) > 15


async def test_silence_ends_in_time():
    began = time.monotonic()
    async with udp(silent) as (port, _):
        answer = await ask(port, within=0.1)
    assert answer.failure is Failure.TIMEOUT
    assert 0.1 <= answer.took <= time.monotonic() - began


async def test_a_closed_port_is_unreachable():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((HOST, 0))
        port = held.getsockname()[1]
    assert (await ask(port)).failure is Failure.UNREACHABLE


@pytest.mark.parametrize("first", [silent, says(2), says(5), says(4)])
async def test_the_next_server_is_asked_after_silence_and_refusals(first, monkeypatch):
    # As if the look-up had begun half a minute ago: the first server has little of its share left,
    # and the second one has all of its own.
    times = chain([time.monotonic() - 29.9], iter(time.monotonic, None))
    monkeypatch.setattr("exporter.probe.resolve.monotonic", lambda: next(times))
    async with udp(first) as (one, _), udp(says(0, B)) as (two, _):
        answer = await ask(one, two, within=60.0)
    assert (answer.addresses, answer.resolver) == ((B,), f"{HOST}:{two}")


@pytest.mark.parametrize("first", [says(3), says(0)])
async def test_an_answer_that_there_is_nothing_is_an_answer(first):
    async with udp(first) as (one, _), udp(says(0, B)) as (two, peers):
        answer = await ask(one, two)
    assert answer.failure in {Failure.NXDOMAIN, Failure.NODATA}
    assert peers == []


async def test_a_wrong_id_or_question_is_waited_out():
    def forged(query):
        right = says(0, A)(query)[0]
        other = dns.encode_query("evil.example", int.from_bytes(query[:2]))
        stranger = dns.encode_response(dns.decode_query(other), 0, [B])
        return [bytes([right[0] ^ 1]) + right[1:], stranger, b"\0", right]

    async with udp(forged) as (port, _):
        answer = await ask(port)
    assert (answer.addresses, answer.mismatched_responses) == ((A,), 3)


async def test_only_wrong_answers_are_another_thing_than_silence():
    async with udp(lambda query: [bytes([query[0] ^ 1]) + query[1:]] * 3) as (port, _):
        answer = await ask(port, within=0.5)
    assert (answer.failure, answer.mismatched_responses) == (Failure.WRONG_ANSWER, 3)


async def test_an_alias_loop_has_its_reason():
    def loops(query):
        right = says(0, A)(query)[0]
        return [right[:-16] + b"\xc0\x0c\0\5\0\1\0\0\0\5\0\2\xc0\x0c"]

    async with udp(loops) as (port, _):
        assert (await ask(port)).failure is Failure.CNAME_LOOP


async def test_what_earlier_servers_said_is_kept():
    async with udp(says(2)) as (one, _), udp(says(0, B)) as (two, _):
        answer = await ask(one, two)
    (first,) = answer.earlier
    assert (first.rcode, first.failure, first.resolver) == (
        "SERVFAIL",
        Failure.SERVFAIL,
        f"{HOST}:{one}",
    )


def of_type(**by_type):
    """Return a server that answers each type of question as said: addresses, a code, or None."""

    def answer(query):
        read = dns.decode_query(query)
        found = by_type[Type(read.type).name]
        if found is None:
            return []
        if isinstance(found, int):
            return [dns.encode_response(read, found)]
        return [dns.encode_response(read, 0, found)]

    return answer


@pytest.mark.parametrize(
    ("a", "aaaa", "addresses", "failure"),
    [
        ([A], [], (A,), None),
        ([], [SIX], (SIX,), None),
        ([A], [SIX], (A,), None),
        ([], [], (), Failure.NODATA),
        (2, [], (), Failure.SERVFAIL),
        ([A], None, (), Failure.TIMEOUT),
        (None, [], (), Failure.TIMEOUT),
    ],
)
async def test_a_look_up_as_clients_make_it(a, aaaa, addresses, failure):
    async with udp(of_type(A=a, AAAA=aaaa)) as (port, peers):
        servers = [Server(HOST, port)]
        within = 0.2 if None in (a, aaaa) else 30.0
        answer = await run_alone(resolve(NAME, servers, within=within, lookup=Lookup.CLIENT))
    assert (answer.addresses, answer.failure) == (addresses, failure)
    # Both questions come from one socket, the second before the first is answered.
    assert len(peers) == 2
    assert len(set(peers)) == 1


async def test_ipv6_and_services_are_asked_for():
    found = ServiceAddress(0, 50, 8080, NAME)
    async with udp(of_type(AAAA=[SIX], SRV=[found])) as (port, _):
        servers = [Server(HOST, port)]
        six = await run_alone(resolve(NAME, servers, within=30.0, record=Record.AAAA))
        services = await run_alone(resolve(NAME, servers, within=30.0, record=Record.SRV))
    assert (six.addresses, six.failure) == ((SIX,), None)
    assert (services.services, services.failure) == ((found,), None)


async def test_a_malformed_answer_has_its_reason():
    def broken(query):
        return [says(0, A)(query)[0][:-3]]

    async with udp(broken) as (port, _):
        assert (await ask(port)).failure is Failure.MALFORMED


async def frames(reader, writer, answer):
    length = int.from_bytes(await reader.readexactly(2))
    for reply in answer(await reader.readexactly(length)):
        writer.write(len(reply).to_bytes(2) + reply)
    await writer.drain()


async def truncating(answer):
    """Ask a server that truncates over UDP and gives *answer* over TCP."""
    cut = says(0, truncated=True)
    if answer is None:
        async with udp(cut) as (port, _):
            return await ask(port, within=1.5)
    for _ in range(20):
        async with tcp(answer) as port:
            # Somebody else on this machine may have the same number for UDP.
            with suppress(OSError):
                async with udp(cut, port=port):
                    return await ask(port, within=1.5)
    pytest.fail("no port is free for both UDP and TCP")


async def test_a_truncated_answer_is_asked_again_over_tcp():
    answer = await truncating(lambda r, w: frames(r, w, says(0, A, B)))
    assert (answer.addresses, answer.failure) == ((A, B), None)


async def test_an_answer_over_tcp_may_come_byte_by_byte():
    async def slowly(reader, writer):
        length = int.from_bytes(await reader.readexactly(2))
        (reply,) = says(0, A)(await reader.readexactly(length))
        for byte in len(reply).to_bytes(2) + reply:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    assert (await truncating(slowly)).addresses == (A,)


@pytest.mark.parametrize(
    ("tcp_answer", "failure"),
    [
        pytest.param(None, Failure.TRUNCATED, id="nobody listens"),
        pytest.param(
            lambda r, w: frames(r, w, says(0, truncated=True)), Failure.TRUNCATED, id="truncated"
        ),
        pytest.param(lambda r, w: r.readexactly(2), Failure.TRUNCATED, id="hangs up"),
        pytest.param(lambda r, w: asyncio.sleep(60), Failure.TRUNCATED, id="says nothing"),
        pytest.param(
            lambda r, w: frames(r, w, lambda q: [says(0, A)(q)[0][:-3]]),
            Failure.MALFORMED,
            id="garbage",
        ),
    ],
)
async def test_what_goes_wrong_over_tcp_has_its_reason(tcp_answer, failure):
    assert (await truncating(tcp_answer)).failure is failure


async def test_nothing_is_left_open():
    async with udp(silent) as (port, peers), udp(says(0, truncated=True)) as (other, _):
        before, tasks = open_files(), len(asyncio.all_tasks())
        for _ in range(5):
            await ask(port, other, within=0.02)
        asking = asyncio.create_task(ask(port))
        while len(peers) < 6:  # noqa: ASYNC110 - a socket has no Event
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (open_files(), len(asyncio.all_tasks())) == (before, tasks)


async def test_a_source_address_is_used():
    async with udp(says(0, A)) as (port, peers):
        source = ip_address("127.9.8.7")
        await run_alone(resolve(NAME, [Server(HOST, port)], within=30.0, source=source))
    assert peers[0][0] == "127.9.8.7"


async def test_an_address_that_is_not_ours_is_our_own_fault():
    source = ip_address("192.0.2.1")
    answer = await run_alone(resolve(NAME, [Server(HOST, 53)], within=30.0, source=source))
    assert answer.failure is Failure.RESOURCE
