"""What probes may rely on, whichever driver runs them: each test runs once for each driver."""

import asyncio
import socket
import ssl
import time
from collections import Counter
from ipaddress import ip_address

import pytest
import trustme

from exporter.model.probes import Failure
from exporter.probe.dns import message as dns
from exporter.probe.drivers.driver import MAX_STALL
from exporter.probe.drivers.runner import Runner, run_alone
from exporter.probe.drivers.waits import READ, Socket, together
from exporter.probe.http import Request, get
from exporter.probe.resolve import Server, resolve
from exporter.probe.tcp import probe_tcp
from exporter.probe.tls import Tls
from exporter.probe.tls_context import make_context
from tests.fakes.servers import HOST, open_files, tcp, udp

NAME = "nginx.nginx-test.svc.clusterset.local"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
ADDRESS = ip_address("100.1.0.10")


class OurFaultError(Exception):
    pass


async def breaks():
    raise OurFaultError


async def result(value):
    return value


def hold_up(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def silent(within):
    """Return a socket on which nothing ever happens."""
    sock = Socket(socket.AF_INET, socket.SOCK_DGRAM, time.monotonic() + within)
    sock.bind((HOST, 0))
    sock.wants = READ
    return sock


async def waiting(within):
    """Wait in vain; return how many seconds after its deadline the wait ended."""
    with silent(within) as sock:
        try:
            await sock
        except TimeoutError:
            return time.monotonic() - sock.deadline
    return None


# Results and faults


async def test_a_result(driver):
    assert await run_alone(result(3), driver) == 3


async def test_results_of_many_come_in_order(driver):
    async def late():
        await waiting(0.02)
        return "late"

    assert await run_alone(together([late(), result(1), result(2)]), driver) == ["late", 1, 2]


async def test_a_fault_ends_everything(driver):
    with pytest.raises(OurFaultError):
        await run_alone(breaks(), driver)
    with pytest.raises(OurFaultError):
        await run_alone(together([result(1), breaks()]), driver)


async def test_a_fault_after_a_wait_ends_everything(driver):
    async def late():
        await waiting(0.01)
        await breaks()

    with pytest.raises(OurFaultError):
        await run_alone(late(), driver)


async def test_a_fault_in_the_use_of_a_result_ends_everything(driver):
    def done(_):
        raise OurFaultError

    with Runner(driver) as runner:
        runner.start(result(1), done)
        with pytest.raises(OurFaultError):
            await runner.ended()


async def test_a_fault_on_an_alarm_ends_everything(driver):
    def act():
        raise OurFaultError

    with Runner(driver) as runner:
        runner.alarm(act).set(0.0)
        with pytest.raises(OurFaultError):
            await runner.ended()


async def test_a_runner_may_be_opened_again(driver):
    runner = Runner(driver)
    for _ in range(2):
        results = []
        with runner:
            runner.start(result(1), results.append)
        assert results == [1]


# Readiness


async def test_a_probe_waits_until_it_can_read(driver):
    received = []

    async def read(sock):
        received.append(await sock.receive(100))

    with Runner(driver) as runner, silent(10) as sock:
        runner.start(read(sock), lambda _: runner.stop())
        assert received == []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"here", sock.getsockname())
        await runner.ended()
    assert received == [b"here"]


async def test_a_probe_waits_until_it_can_write(driver):
    """More is sent than the kernel keeps, and the peer reads only after the probe had to wait."""
    size, sent, heard = 8 << 20, [], []
    waits = asyncio.Event()

    async def talk(reader, _):
        await waits.wait()
        while part := await reader.read(1 << 20):
            heard.append(len(part))

    async def send(port):
        sock = Socket(socket.AF_INET, socket.SOCK_STREAM, time.monotonic() + 30)
        with sock:
            await sock.open((HOST, port))
            await sock.send_all(bytes(size))
        sent.append(size)

    async with tcp(talk) as port:
        with Runner(driver) as runner:
            runner.start(send(port), lambda _: runner.stop())
            for _ in range(20):
                await asyncio.sleep(0)
            assert sent == []
            waits.set()
            await runner.ended()
        async with asyncio.timeout(30):
            while sum(heard) < size:  # noqa: ASYNC110 - the server reads what was sent
                await asyncio.sleep(0.001)


async def test_two_probes_wait_for_each_other(driver):
    """Each one's datagram makes the other ready, so each wait must be registered anew."""

    async def play(sock, peer, first):
        if first:
            sock.sendto(b"0", peer)
        for _ in range(50):
            number = int(await sock.receive(10))
            sock.sendto(str(number + 1).encode(), peer)
        return number

    with silent(30) as one, silent(30) as two:
        names = one.getsockname(), two.getsockname()
        plays = play(one, names[1], first=True), play(two, names[0], first=False)
        assert await run_alone(together(plays), driver) == [99, 98]


async def test_a_probe_that_is_resumed_may_wait_for_another_socket_of_the_same_number(driver):
    """Events of the closed socket are not taken for events of the new one."""
    numbers, ready = [], []

    async def probe(port):
        for _ in range(5):
            sock = Socket(socket.AF_INET, socket.SOCK_STREAM, time.monotonic() + 10)
            with sock:
                numbers.append(sock.fileno())
                await sock.open((HOST, port))
        with silent(0.02) as sock:
            numbers.append(sock.fileno())
            try:
                await sock
            except TimeoutError:
                return
            ready.append(sock)

    async def hold(reader, _):
        await reader.read()

    async with tcp(hold) as port:
        await run_alone(probe(port), driver)
    assert len(set(numbers)) < len(numbers)
    assert ready == []


# Time


async def test_the_clock_is_that_of_the_system(driver):
    before = time.monotonic(), time.time()
    times = driver.time(), driver.unix()
    after = time.monotonic(), time.time()
    assert before[0] <= times[0] <= after[0]
    assert before[1] <= times[1] <= after[1]


async def test_a_wait_ends_in_time(driver):
    assert await run_alone(waiting(0.05), driver) >= 0


async def test_many_waits_end_each_at_its_time(driver):
    ended = []

    async def note(limit):
        late = await waiting(limit)
        ended.append(limit)
        return late

    late = await run_alone(together([note(limit) for limit in (2.0, 0.05, 1.0, 0.05)]), driver)
    assert len(late) == 4
    assert min(late) >= 0
    assert ended == [0.05, 0.05, 1.0, 2.0]


async def test_an_earlier_deadline_that_comes_later_counts(driver):
    ended = []

    async def note(within):
        await waiting(within)
        ended.append(within)

    with Runner(driver) as runner:
        runner.start(note(60), lambda _: None)
        runner.start(note(0.02), lambda _: runner.stop())
        await runner.ended()
    assert ended == [0.02]


async def test_a_turn_after_the_deadline_is_a_timeout(driver):
    async def turns():
        with silent(0.02) as sock:
            while True:
                await sock.turn()

    with pytest.raises(TimeoutError):
        await run_alone(turns(), driver)


async def test_an_alarm_rings_once_at_its_time_and_may_be_set_again(driver):
    rung, done = [], asyncio.Event()

    def ring():
        rung.append(time.monotonic())
        if len(rung) < 3:
            alarm.set(rung[-1] + 0.01)
        else:
            done.set()

    alarm = driver.alarm(ring)
    began = time.monotonic() + 0.01
    alarm.set(began)
    await done.wait()
    alarm.close()
    assert rung[0] >= began
    assert len(rung) == 3


async def test_an_alarm_rings_at_the_time_set_last_and_not_when_it_is_closed(driver):
    rung = []
    with Runner(driver) as runner:
        put_off, closed, brought_forward = (
            runner.alarm(lambda n=n: rung.append(n)) for n in range(3)
        )
        end = runner.alarm(runner.stop)
        now = time.monotonic()
        put_off.set(now)
        put_off.set(now + 60)
        closed.set(now + 0.01)
        brought_forward.set(now + 60)
        brought_forward.set(now + 0.01)
        driver_alarm = driver.alarm(lambda: rung.append("closed"))
        driver_alarm.set(now)
        driver_alarm.close()
        end.set(now + 0.02)
        closed.set(now + 60)
        await runner.ended()
    assert rung == [2]


@pytest.mark.parametrize("after", [0.0, 0.003, 0.007, 0.019])
async def test_a_stalled_event_loop_is_noticed(driver, after):
    with Runner(driver) as runner:
        runner.start(waiting(60), lambda _: None)
        began = time.monotonic()
        await asyncio.sleep(after)
        hold_up(MAX_STALL + 0.001)
        await asyncio.sleep(0.001)
        assert runner.stalled_at() > began


async def test_a_stall_is_noticed_before_the_probe_ends_that_it_delayed(driver):
    stalled = []

    async def read(sock):
        await sock.receive(100)
        stalled.append(driver.stalled_at)

    with Runner(driver) as runner, silent(10) as sock:
        began = time.monotonic()
        runner.start(read(sock), lambda _: runner.stop())
        await asyncio.sleep(0.001)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"here", sock.getsockname())
        hold_up(MAX_STALL + 0.001)
        await runner.ended()
    assert stalled[0] > began


async def test_a_stall_is_not_blamed_on_a_probe_that_starts_afterwards(driver):
    # On a busy machine a probe may be stalled in fact: one of many is not.
    async with asyncio.timeout(60):
        while True:
            await run_alone(waiting(0.001), driver)
            hold_up(MAX_STALL + 0.02)
            await asyncio.sleep(0.001)
            began = time.monotonic()
            await run_alone(waiting(0.02), driver)
            if driver.stalled_at < began:
                break


# Many at once, and beside asyncio


async def test_many_probes_at_once(driver):
    asked = Counter()

    def answer(query):
        read = dns.decode_query(query)
        asked[read.name] += 1
        return [dns.encode_response(read, 0, [ADDRESS])]

    async with udp(answer) as (port, _):
        servers = [Server(HOST, port)]
        many = [resolve(f"n{n}.{NAME}", servers, within=20.0) for n in range(200)]
        answers = await run_alone(together(many), driver)
    assert {each.addresses for each in answers} == {(ADDRESS,)}
    assert len(asked) == 200


async def test_neither_probes_nor_asyncio_starve_the_other(driver):
    ticks, turns = 0, 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    async def busy():
        nonlocal turns
        with silent(60) as sock:
            while ticks < 20 or turns < 100:
                turns += 1
                await sock.turn()

    ticking = asyncio.create_task(tick())
    await run_alone(busy(), driver)
    ticking.cancel()
    assert ticks >= 20
    assert turns >= 100


async def test_what_a_probe_sets_wakes_a_task(driver):
    asked = asyncio.Event()

    async def ask():
        await waiting(0.02)
        asked.set()

    with Runner(driver) as runner:
        runner.start(ask(), lambda _: None)
        # Nothing but the probe wakes the event loop before that.
        async with asyncio.timeout(5):
            await asked.wait()


async def test_a_call_from_another_thread_wakes_the_loop():
    running = asyncio.get_running_loop()
    done = asyncio.Event()
    await asyncio.to_thread(lambda: running.call_soon_threadsafe(done.set))
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_driver_is_used_in_its_own_event_loop_only(driver):
    def elsewhere():
        async def main():
            with pytest.raises(RuntimeError, match="waits in another event loop"):
                Runner(driver).__enter__()

        asyncio.run(main())

    await asyncio.to_thread(elsewhere)


# The end


async def test_probes_left_at_the_end_are_closed_and_give_no_result(driver):
    closed, results = [], []

    async def waits():
        try:
            with silent(60) as sock:
                await sock
        finally:
            closed.append(sock.fileno())

    async def turns():
        with silent(60) as sock:
            while True:
                await sock.turn()

    with Runner(driver) as runner:
        runner.start(waits(), results.append)
        runner.start(together([waits(), waits()]), results.append)
        runner.start(turns(), results.append)
        await asyncio.sleep(0.01)
    assert closed == [-1, -1, -1]
    await asyncio.sleep(0.01)
    assert results == []
    assert not driver._waiting
    assert not runner.running


async def test_a_cancelled_task_closes_its_probe(driver):
    before, began = open_files(), asyncio.Event()

    async def waits():
        with silent(60) as sock:
            began.set()
            await sock

    task = asyncio.create_task(run_alone(waits(), driver))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert open_files() == before
    assert not driver._waiting


# Real protocols


async def test_dns_over_udp_and_over_tcp_when_the_answer_is_truncated(driver):
    def truncated(query):
        return [dns.encode_response(dns.decode_query(query), 0, truncated=True)]

    async def whole(reader, writer):
        length = int.from_bytes(await reader.readexactly(2))
        query = dns.decode_query(await reader.readexactly(length))
        wire = dns.encode_response(query, 0, [ADDRESS])
        writer.write(len(wire).to_bytes(2) + wire)

    async with tcp(whole) as port, udp(truncated, port=port):
        answer = await run_alone(resolve(NAME, [Server(HOST, port)], within=10.0), driver)
    assert (answer.failure, answer.addresses) == (None, (ADDRESS,))


async def test_silent_name_server(driver):
    async with udp(lambda _: []) as (port, _):
        answer = await run_alone(resolve(NAME, [Server(HOST, port)], within=0.05), driver)
    assert answer.failure is Failure.TIMEOUT


async def talk_http(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    for part in (REPLY[:10], REPLY[10:]):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)


async def ask(driver, port, tls=None):
    request = Request(expected=frozenset({200}), tls=tls)
    asked = get(
        ip_address(HOST), port, request=request, name=NAME, user_agent=lambda: "probe", within=10.0
    )
    return await run_alone(asked, driver)


async def test_http(driver):
    async with tcp(talk_http) as port:
        reply = await ask(driver, port)
    assert (reply.failure, reply.status) == (None, 200)


async def test_http_over_tls(driver, tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(NAME).configure_cert(context)
    files = {"ca_file": tmp_path / "ca.pem", "cert_file": None, "key_file": None}
    trusting = await asyncio.to_thread(make_context, **files, verify=True)
    async with tcp(talk_http, ssl=context) as port:
        reply = await ask(driver, port, Tls(trusting))
    assert (reply.failure, reply.status) == (None, 200)
    assert reply.certificate_expires > time.time()


async def test_a_closed_port_is_refused(driver):
    async with tcp(talk_http) as port:
        pass
    reply = await run_alone(probe_tcp(ip_address(HOST), port, within=10.0), driver)
    assert reply.failure is Failure.CONNECT_REFUSED
