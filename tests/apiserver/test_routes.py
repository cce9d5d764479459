"""HTTPRoutes and Ingresses as an API server gives them; also run on a real one."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

import pytest

from exporter.config.label_selector import EVERYTHING
from exporter.discover.kubernetes import KubernetesInventory
from exporter.model.clusterset import ServiceName
from exporter.model.watches import WatchState
from tests.discover.test_routes import IMPORT, backend, http_route, ingress, rule, to
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.members import RULES, Member
from tests.fakes.virtual import until

NGINX, WEB = ServiceName("nginx-test", "nginx"), ServiceName("nginx-test", "web")
GATEWAY_API = ("gateway.networking.k8s.io", "httproutes")
HTTP_ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/nginx-test/httproutes"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/nginx-test/ingresses"
ROUTE_RULES = [(verb, kind) for kind in ("httproutes", "ingresses") for verb in ("list", "watch")]
HOST = "shop.example.com"
LIMIT = 20.0


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    yield made
    await made.empty()


async def has_http_routes(api, *, wanted=True):
    """Have the server know HTTPRoutes, or not."""

    async def served():
        return (await api.call("GET", "/apis/gateway.networking.k8s.io/v1/httproutes"))[0] == 200

    async def gone():
        return not await served()

    if wanted and not await served():
        await api.install(*GATEWAY_API, "HTTPRoute", "v1")
    elif not wanted and await served():
        await api.uninstall(*GATEWAY_API)
        await until(gone, within=LIMIT)


class Seen:
    """What a discovery finds."""

    def __init__(self, discovery):
        self.discovery, self.newest = discovery, None

    @property
    def watches(self):
        return {each.resource: each for each in self.discovery.watches()}

    def services(self, host=HOST):
        return None if self.newest is None else self.newest.inventory.routes.services(host)

    async def until_leads_to(self, *services, host=HOST, within=LIMIT):
        try:
            await until(lambda: self.services(host) == set(services), within=within)
        except TimeoutError:
            assert self.services(host) == set(services)


@asynccontextmanager
async def discovering(api, told_hosts=frozenset()):
    async with api.client(EXPORTER) as client:

        async def changed(found):
            seen.newest = found

        seen = Seen(
            KubernetesInventory(
                client,
                setting="cluster1",
                config_map="x",
                selection=EVERYTHING,
                told_hosts=told_hosts,
                unix=lambda: 1.0,
                changed=changed,
            )
        )
        running = asyncio.create_task(seen.discovery.run())
        await until(lambda: seen.newest, within=LIMIT)
        yield seen
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.mark.usefixtures("member")
async def test_what_a_route_leads_to_is_followed(api):
    await has_http_routes(api)
    await api.grant(*RULES, *ROUTE_RULES)
    made = await api.done("POST", HTTP_ROUTES, http_route(to(IMPORT)))
    more = ingress(rule("web.example.com", ("/", "Prefix", backend("web"))))
    await api.done("POST", INGRESSES, more)
    async with discovering(api) as seen:
        await seen.until_leads_to(NGINX)
        await seen.until_leads_to(WEB, host="web.example.com")
        made["spec"]["rules"] = [to({"name": "web", "port": 80})]
        await api.done("PUT", f"{HTTP_ROUTES}/one", made)
        await seen.until_leads_to(WEB)
        await api.done("DELETE", f"{HTTP_ROUTES}/one")
        await seen.until_leads_to()


@pytest.mark.usefixtures("member")
async def test_without_the_gateway_api_ingresses_are_enough_and_nothing_is_wrong(api):
    await has_http_routes(api, wanted=False)
    # The server refuses what is not installed, too, but tells that it is not.
    await api.grant(*RULES, ("list", "ingresses"), ("watch", "ingresses"))
    await api.done("POST", INGRESSES, ingress(rule(HOST, ("/", "Prefix", backend()))))
    async with discovering(api) as seen:
        await seen.until_leads_to(NGINX)
        assert seen.watches["httproutes"].state is WatchState.NOT_INSTALLED


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("refused", ["httproutes", "ingresses"])
async def test_a_missing_right_is_told_and_the_other_half_is_not_believed(api, refused):
    await has_http_routes(api)
    allowed = [each for each in ROUTE_RULES if each[1] != refused]
    await api.grant(*RULES, *allowed)
    await api.done("POST", HTTP_ROUTES, http_route(to(IMPORT)))
    await api.done("POST", INGRESSES, ingress(rule(HOST, ("/", "Prefix", backend()))))
    async with discovering(api) as seen:
        assert NGINX in seen.newest.inventory.services
        await until(lambda: seen.watches[refused].state is WatchState.FORBIDDEN, within=LIMIT)
        await until(
            lambda: all(seen.watches[kind].state is WatchState.SYNCED for _, kind in allowed),
            within=LIMIT,
        )
        group = "gateway.networking.k8s.io" if refused == "httproutes" else "networking.k8s.io"
        told = f"grant list and watch on {refused} of API group {group}"
        assert seen.watches[refused].problem.endswith(told)
        assert seen.services() == set()


@pytest.mark.usefixtures("member")
async def test_nothing_is_watched_where_no_log_needs_it(api):
    await api.grant(*RULES)
    async with discovering(api, told_hosts=None) as seen:
        assert not {"httproutes", "ingresses"} & seen.watches.keys()
        assert seen.services() == set()
