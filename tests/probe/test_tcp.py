"""Connections to real servers, and to none."""

import asyncio
import socket
from ipaddress import ip_address

import pytest

from exporter.model.probes import Failure
from exporter.probe.drivers.runner import run_alone
from exporter.probe.tcp import probe_tcp
from tests.fakes.servers import HOST, open_files, tcp


async def hold(reader, _):
    await reader.read()


async def test_a_connection_that_opens_is_well():
    async with tcp(hold) as port:
        reply = await run_alone(probe_tcp(ip_address(HOST), port, within=1.0))
    assert (reply.failure, reply.status, reply.took) == (None, None, None)
    assert 0 < reply.rtt < reply.connect < 1


async def test_a_closed_port_is_refused():
    async with tcp(hold) as port:
        pass
    assert (
        await run_alone(probe_tcp(ip_address(HOST), port, within=1.0))
    ).failure is Failure.CONNECT_REFUSED


async def test_a_full_backlog_is_a_timeout():
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind((HOST, 0))
        full.listen(0)
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        reply = await run_alone(probe_tcp(ip_address(HOST), full.getsockname()[1], within=0.2))
    assert reply.failure is Failure.CONNECT_TIMEOUT


@pytest.mark.parametrize(
    ("address", "source", "failure"),
    [("255.255.255.255", None, Failure.CONNECT_UNREACHABLE), (HOST, "192.0.2.1", Failure.RESOURCE)],
)
async def test_what_the_kernel_refuses(address, source, failure):
    source = None if source is None else ip_address(source)
    reply = await run_alone(probe_tcp(ip_address(address), 9, within=1.0, source=source))
    assert reply.failure is failure


async def test_nothing_is_left_open():
    async with tcp(hold) as port:
        before = open_files()
        for _ in range(5):
            await run_alone(probe_tcp(ip_address(HOST), port, within=1.0))
        async with asyncio.timeout(5):
            while open_files() > before:  # noqa: ASYNC110 - the server closes its ends
                await asyncio.sleep(0.01)
