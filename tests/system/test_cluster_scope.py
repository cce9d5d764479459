"""An exporter that may read some namespaces only; also run on a real API server."""

import json

import pytest

from tests.fakes.apiaccess import EXPORTER
from tests.fakes.members import CONFIG
from tests.system.test_check_cluster import check
from tests.system.test_cluster_life import READY, api, follows, member  # noqa: F401 - the fixtures

pytestmark = pytest.mark.timeout(240)
SERVICES, SUBMARINER = "nginx-test", "submariner-operator"
OF_SERVICES = ("serviceexports", "serviceimports", "endpointslices", "services")
OF_SUBMARINER = (
    *("serviceimports", "endpointslices"),
    *("gateways", "clusters", "endpoints", "submariners"),
)
# What a chart with watchNamespaces: [nginx-test] grants. Nodes are in no namespace.
RULES = [
    *((verb, "nodes") for verb in ("list", "watch")),
    *((verb, each, SERVICES) for each in OF_SERVICES for verb in ("list", "watch")),
    *((verb, each, SUBMARINER) for each in OF_SUBMARINER for verb in ("list", "watch")),
    *(("get", each, SERVICES) for each in ("pods", "pods/log")),
]
ONE_NAMESPACE = "watch_namespaces: [nginx-test]"


async def test_roles_in_its_namespaces_are_enough(member, api):  # noqa: F811 - the fixtures
    await api.grant(*RULES)
    async with member.exporter(kubernetes=ONE_NAMESPACE, token=EXPORTER) as exporter:
        status = await exporter.status()
        assert (status["cluster"], status["problems"]) == ("cluster1", [])
        assert [each["name"] for each in status["services"]] == ["nginx"]
        assert await exporter.value(READY) == 2
        tunnel = {"destination_cluster": "cluster2", "view": "strict"}
        # A gateway that is silent for 20 seconds counts no more.
        await member.speak()
        await exporter.until_value(1, "clusterset_gateway_connected", **tunnel)
        await follows(member, exporter, ready=False)
        await follows(member, exporter, ready=True)


async def test_a_namespace_that_may_not_be_read_is_a_problem_that_names_the_right(member, api):  # noqa: F811
    await api.grant(*(rule for rule in RULES if rule[1:] != ("gateways", SUBMARINER)))
    async with member.exporter(kubernetes=ONE_NAMESPACE, token=EXPORTER) as exporter:
        problems = {each["what"]: each for each in (await exporter.status())["problems"]}
        told = json.dumps(problems["watch of gateways"])
        assert "grant list and watch on gateways" in told
        assert f"in namespace {SUBMARINER}" in told


async def test_submariner_has_to_be_where_it_is_looked_for(member):  # noqa: F811 - the fixture
    elsewhere = f"{ONE_NAMESPACE}, submariner_namespace: SUBMARINER"
    config = CONFIG.replace("KUBERNETES", elsewhere)
    path = member.folder / "config.yaml"
    path.write_text(config.replace("SUBMARINER", "elsewhere"))
    code, _, told = await check(member, "nginx-test/nginx")
    assert code == 2
    assert "Submariner is installed, but none of its objects is in elsewhere" in told
    path.write_text(f"cluster: cluster1\n{config.replace('SUBMARINER', 'null')}")
    code, text, told = await check(member, "nginx-test/nginx")
    assert (code, told) == (1, "")
    assert "nginx-test/nginx" in text


async def test_check_names_what_is_missing_and_where(member, api):  # noqa: F811 - the fixtures
    (member.folder / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ONE_NAMESPACE))

    async def rights():
        _, text, _ = await check(member, "nginx-test/nginx", token=EXPORTER)
        (line,) = [each for each in text.splitlines() if " rights " in each]
        return " ".join(line.split())

    await api.grant(*RULES)
    assert await rights() == "ok rights all that run needs"
    missing = {("watch", "services", SERVICES), ("list", "gateways", SUBMARINER)}
    await api.grant(*(rule for rule in RULES if rule not in missing))
    assert (await rights()).endswith(
        "may not watch services in nginx-test, list gateways.submariner.io in "
        "submariner-operator; grant them in Roles of these namespaces; the chart does so "
        "with rbac.create: true"
    )
