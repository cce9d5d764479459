"""An API server that does not list HTTPRoutes: the inventory does not wait for long."""

import asyncio

import pytest

from exporter.discover.kubernetes import ROUTES_WITHIN
from exporter.model.watches import WatchState
from tests.apiserver.test_routes import (
    HTTP_ROUTES,
    INGRESSES,
    NGINX,
    ROUTE_RULES,
    discovering,
    has_http_routes,
    member,  # noqa: F401 - the fixture
)
from tests.discover.test_routes import IMPORT, backend, http_route, ingress, rule, to
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.members import RULES


@pytest.mark.usefixtures("member")
async def test_the_inventory_waits_for_routes_but_not_for_ever(api):
    await has_http_routes(api)
    await api.grant(*RULES, *ROUTE_RULES)
    await api.done("POST", HTTP_ROUTES, http_route(to(IMPORT)))
    await api.done("POST", INGRESSES, ingress(rule("web.example.com", ("/", "Prefix", backend()))))
    clock = asyncio.get_running_loop().time
    began = clock()
    api.server.faults = [Fault(faults.hang, plural="httproutes")]
    async with discovering(api) as seen:
        assert ROUTES_WITHIN <= clock() - began < ROUTES_WITHIN + 1
        assert NGINX in seen.newest.inventory.services
        # Part of the routes would mislead.
        assert seen.services("web.example.com") == set()
        assert seen.watches["ingresses"].state is WatchState.SYNCED
        assert "httproutes" not in seen.discovery.waits_for()
        api.server.faults = []
        # The request that hangs has to end first.
        await seen.until_leads_to(NGINX, within=120)
        await seen.until_leads_to(NGINX, host="web.example.com")
