"""What a test that failed left behind does not meet the next one."""

from contextlib import AsyncExitStack

from tests.e2e.conftest import RealAccess

SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"


async def test_what_was_made_is_taken_away(servers):
    async with AsyncExitStack() as stack:
        access = RealAccess(servers, stack)
        for _ in range(2):
            body = {"metadata": {"name": "left"}, "spec": {"ports": [{"port": 80}]}}
            await access.done("POST", SERVICES, body)
            await access.pod("default", "left")
            await access.grant(("list", "pods"))
            await access.tidy()
            for path in (SERVICES, PODS):
                assert (await access.call("GET", f"{path}/left"))[0] == 404
