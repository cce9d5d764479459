"""The probes of an exporter over its configurations, against a real name server."""

import asyncio
from collections import Counter

import pytest

from exporter.commands.load import load
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Lookup, Vantage
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.resolve import Server
from exporter.probe.stage import MANUAL_BURST, BusyError, ProbeStage
from tests.fakes.files import CONFIG, write
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.servers import HOST, udp

DNS_ONLY = (
    CONFIG.replace("cluster: east", "cluster: a")
    .replace(
        "probe: {interval: 1s, timeout: 1s", "probe: {interval: 100ms, timeout: 100ms, http: null"
    )
    .replace("100ms, http", "100ms, fast: {interval: 50ms}, http")
)


def probing(loaded, seen):
    made = ProbeStage(
        loaded.probes,
        loaded.local,
        driver=AsyncioDriver(),
        owner_of=lambda *_: None,
        emit=seen.put_nowait,
        skipped=lambda _: None,
        delayed=lambda _: None,
    )
    made.set_inventory(inventory())
    return made


async def read(folder, text):
    return await asyncio.to_thread(load, write(folder, config=text), None)


async def of(seen, wanted):
    """Return the next probe that is *wanted*."""
    async with asyncio.timeout(10):
        while not wanted(probe := await seen.get()):
            pass
    return probe


def answers(query):
    read = dns.decode_query(query)
    found = inventory().services.popitem()[1].exports[0].addresses
    return [dns.encode_response(read, 0, found if read.type == Type.A else ())]


async def test_a_reload_and_another_resolv_conf_change_whom_is_asked(tmp_path):
    seen = asyncio.Queue()
    async with udp(answers) as (one, _), udp(answers) as (two, _), udp(answers) as (three, _):
        text = DNS_ONLY.replace("127.0.0.1:1", f"127.0.0.1:{one}")
        made = probing(await read(tmp_path, text), seen)
        running = asyncio.create_task(made.run())
        await of(seen, lambda probe: probe.answer.resolver == f"{HOST}:{one}")
        made._name_servers_changed((Server(HOST, three),))
        again = text.replace(f"127.0.0.1:{one}", f"127.0.0.1:{two}")
        made.configure((await read(tmp_path, again)).probes)
        # What the configuration says goes before what resolv.conf says.
        await of(seen, lambda probe: probe.answer.resolver == f"{HOST}:{two}")
        free = again.replace(f'resolvers: ["127.0.0.1:{two}"]', "lookup: []")
        made.configure((await read(tmp_path, free)).probes)
        made._name_servers_changed((Server(HOST, three),))
        await of(seen, lambda probe: probe.answer.resolver == f"{HOST}:{three}")
        running.cancel()


async def many(made):
    for _ in range(100):
        await made.probe_now(NGINX)


async def test_every_question_that_is_sent_is_counted(tmp_path):
    seen, asked = asyncio.Queue(), []

    def listening(query):
        asked.append(dns.decode_query(query))
        return answers(query)

    async with udp(listening) as (port, _):
        text = DNS_ONLY.replace("127.0.0.1:1", f"127.0.0.1:{port}")
        made = probing(await read(tmp_path, text), seen)
        running = asyncio.create_task(made.run())
        probes = [await asyncio.wait_for(seen.get(), 10) for _ in range(24)]
        running.cancel()
    plain = "nginx.nginx-test.svc.clusterset.local"
    sent = Counter((query.name, Type(query.type).name) for query in asked)
    made_ways = Counter((probe.question.pinned, probe.lookup) for probe in probes)
    # A probe may be under way when the count ends; beside that nothing is asked that is not told.
    assert abs(sent[plain, "AAAA"] - made_ways[None, Lookup.CLIENT]) <= 1
    both = made_ways[None, Lookup.A] + made_ways[None, Lookup.CLIENT]
    assert abs(sent[plain, "A"] - both) <= 2
    for pinned in "ab":
        name = f"{pinned}.{plain}"
        assert abs(sent[name, "A"] - made_ways[pinned, Lookup.A]) <= 1
    assert set(sent) == {(plain, "A"), (plain, "AAAA"), (f"a.{plain}", "A"), (f"b.{plain}", "A")}


async def test_a_probe_by_hand_counts_nowhere_and_is_rationed(tmp_path):
    seen = asyncio.Queue()
    async with udp(answers) as (port, _):
        text = DNS_ONLY.replace("127.0.0.1:1", f"127.0.0.1:{port}")
        made = probing(await read(tmp_path, text), seen)
        assert await made.probe_now(ServiceName("no", "such")) is None
        for _ in range(MANUAL_BURST):
            probe = await made.probe_now(NGINX)
            assert (probe.failure, probe.question.pinned, probe.decides) == (None, None, True)
        with pytest.raises(BusyError):
            await many(made)
    assert seen.empty()


async def test_all_vantage_points_and_ways_are_probed(tmp_path):
    seen = asyncio.Queue()
    async with udp(answers) as (one, _), udp(answers) as (two, _):
        text = DNS_ONLY.replace(
            'resolvers: ["127.0.0.1:1"]',
            f'resolvers: ["{HOST}:{one}"], lighthouse: ["{HOST}:{two}"]',
        )
        made = probing(await read(tmp_path, text), seen)
        running = asyncio.create_task(made.run())
        direct = await of(seen, lambda probe: probe.vantage is Vantage.LIGHTHOUSE)
        client = await of(seen, lambda probe: probe.lookup is Lookup.CLIENT)
        running.cancel()
    assert (direct.answer.resolver, direct.answer.failure) == (f"{HOST}:{two}", None)
    assert (client.answer.resolver, client.answer.failure) == (f"{HOST}:{one}", None)
    assert not direct.decides
    assert not client.decides
