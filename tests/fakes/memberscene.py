"""A member cluster and the exporter in it, in one process and in virtual time."""

import asyncio

from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.localscene import local
from tests.fakes.members import Member
from tests.fakes.virtual import VirtualLoop


def in_virtual_time(scenario, folder, *, faults=()):
    """Run *scenario* with a member and its exporter, once that knows both clusters ready."""

    async def run():
        async with running(ApiServer(), tls=certs.server_context()) as server:
            api = FakeAccess(server)
            member = Member(api, folder)
            await member.fill()
            server.faults = list(faults)
            async with local(api, folder) as here:
                await here.until_ready("cluster1", "cluster2", within=10)
                await scenario(member, here)
                assert here.ends == []

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
