"""A whole drill in a cluster: its API server says who is ready, a name server who serves."""

import asyncio
import time

import dns.message
import dns.rrset
import pytest

from exporter.commands.check.cluster import Reach
from exporter.commands.drill.cluster import drill_in_cluster
from exporter.commands.drill.report import as_json
from exporter.commands.drill.watch import DrillOptions
from exporter.commands.load import load
from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs, servers
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import Member
from tests.fakes.nouns import NGINX
from tests.fakes.virtual import until

HOME, AWAY = "cluster1", "cluster2"
ADDRESSES = {HOME: "100.1.0.10", AWAY: "100.2.0.10"}
SLOW = 1.0
"""Seconds after a change in which the name server gives the old answer."""
CONFIG = """\
inventory: {kubernetes: {}}
probe: {timeout: 500ms, resolvers: ["127.0.0.1:PORT"], lighthouse: [], http: null}
leak_grace: 2s
"""


class NameServer:
    """Answers a plain name with the cluster that serves, and a pinned one with its own."""

    def __init__(self):
        self.serving = HOME

    def answer(self, datagram):
        asked = dns.message.from_wire(datagram)
        reply, (question,) = dns.message.make_response(asked), asked.question
        first = question.name.to_text().split(".")[0]
        address = ADDRESSES.get(first, ADDRESSES[self.serving])
        reply.answer.append(dns.rrset.from_text(question.name, 5, "IN", "A", address))
        yield reply.to_wire()


class Wall:
    """The wall's clock, which somebody may set."""

    def __init__(self, monkeypatch):
        self.off, real = 0.0, time.time
        monkeypatch.setattr(time, "time", lambda: real() + self.off)


async def drill(folder, rehearse):
    """Run a drill while *rehearse* does what the operator would do; return its JSON."""
    told, seen, names = [], [], NameServer()
    async with (
        running(ApiServer(), tls=certs.server_context()) as server,
        servers.udp(names.answer) as (port, _),
    ):
        member = Member(FakeAccess(server), folder)
        await member.fill()
        (folder / "config.yaml").write_text(CONFIG.replace("PORT", str(port)))
        loaded = await asyncio.to_thread(load, folder / "config.yaml", None)
        options = DrillOptions(
            command=None, timeout=20.0, tell=told.append, saw=lambda event: seen.append(event.text)
        )
        reach = Reach(kubeconfig=str(member.kubeconfig()), context=None)
        async with member.gateways_speak(), asyncio.TaskGroup() as tasks:
            running_drill = tasks.create_task(
                drill_in_cluster(loaded, NGINX, reach, options, asyncio.Event())
            )
            await until(lambda: any(each.startswith("Take") for each in told), within=30)
            await rehearse(member, names, seen)
        return as_json(running_drill.result())


async def set_ready(member, cluster, *, ready):
    each = member.objects.slice_of(cluster)
    each["endpoints"][0]["conditions"]["ready"] = ready
    await member.change(each)


@pytest.mark.parametrize("jump", [0.0, 10.0, -10.0])
async def test_a_cluster_goes_and_comes_back_whatever_the_clock_on_the_wall_does(
    tmp_path, monkeypatch, jump
):
    wall, spans = Wall(monkeypatch), []

    async def move(member, names, seen, to):
        began = time.monotonic()
        await set_ready(member, HOME, ready=to == HOME)
        await asyncio.sleep(SLOW / 2)
        wall.off = jump if to == AWAY else 0.0
        await asyncio.sleep(SLOW / 2)
        names.serving = to
        await until(lambda: f"the move to {to} is confirmed" in seen, within=30)
        spans.append(time.monotonic() - began)

    async def rehearse(member, names, seen):
        await move(member, names, seen, AWAY)
        await move(member, names, seen, HOME)

    made = await drill(tmp_path, rehearse)
    assert (made["level"], made["findings"], made["source_cluster"]) == ("ok", [], HOME)
    assert [(each["from_cluster"], each["to_cluster"]) for each in made["moves"]] == [
        (HOME, AWAY),
        (AWAY, HOME),
    ]
    for each, span in zip(made["moves"], spans, strict=True):
        assert each["reason"] == "readiness"
        # From the change of readiness, which took a moment to be seen, to the new answer.
        assert SLOW / 2 < each["durations_seconds"]["dns"] < span
    assert made["outage_seconds"] == 0
    assert made["unobserved_seconds"] is None
    assert [each["text"] for each in made["course"] if each["kind"] == "expected"] == [
        f"{HOME} serves; {AWAY} would take over",
        f"{AWAY} should serve; {HOME} is not ready",
        f"{HOME} should serve; {HOME} is ready",
    ]


async def test_a_tunnel_that_goes_is_seen_too(tmp_path):
    async def rehearse(member, _, seen):
        member.objects.link("error")
        await member.change(member.objects.get("Gateway", "gw1"))
        await until(lambda: f"{AWAY} is not connected" in seen, within=30)
        await set_ready(member, HOME, ready=False)
        await until(lambda: any("nobody can serve" in each for each in seen), within=30)
        await asyncio.sleep(4)
        await set_ready(member, HOME, ready=True)

    made = await drill(tmp_path, rehearse)
    assert made["level"] == "fail"
    assert any(each.startswith("For ") for each in made["findings"])
    assert made["moves"] == []
