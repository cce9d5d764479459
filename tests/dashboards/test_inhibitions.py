"""Which alert makes which other say nothing new, by a real Alertmanager with our example."""

import socket
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from dashboards import files
from dashboards.thresholds import Thresholds
from exporter.demo import parts
from exporter.demo.clusterset import until
from tests.fakes.boards import GENERATED
from tests.fakes.tools import need

pytestmark = pytest.mark.system

CART = {"destination_service_namespace": "shop", "destination_service_name": "cart"}
ADS = {"destination_service_namespace": "shop", "destination_service_name": "ads"}
OTHERS = {"destination_service_namespace": "shop", "destination_service_name": "others"}
SEVERITY = {alert.name: str(alert.severity) for alert in files.alerts(Thresholds())}


def alert(name, severity=None, **labels):
    return {"alertname": name, "severity": severity or SEVERITY[name], **labels}


EAST, WEST = {"source_cluster": "east"}, {"source_cluster": "west"}
ME, OTHER = {"instance": "a:9877"}, {"instance": "b:9877"}
ABOVE = {
    "blackout": alert("ClustersetServiceBlackout", **CART, **EAST),
    "tunnel": alert("ClustersetTunnelDown", **EAST, destination_cluster="west"),
    "exporter": alert("ClustersetExporterDown", **ME),
    "burn": alert("ClustersetErrorBudgetBurn", "critical", **ADS, window="1h"),
    "slow": alert("ClustersetLocalityBudgetBurn", "warning", **ADS, window="6h"),
    "gateway": alert("ClustersetGatewayLeakage", **ADS, **WEST, destination_cluster="east"),
}
SILENT = [
    alert("ClustersetServiceFailover", **CART, **EAST),
    alert("ClustersetServiceNotRedundant", **CART),
    alert("ClustersetStandbyMissing", **CART, **WEST),
    alert("ClustersetCrossClusterLeakage", **CART, **EAST, destination_cluster="west"),
    alert("ClustersetGatewayLeakage", **CART, **EAST, destination_cluster="west"),
    alert("ClustersetPromiseBroken", **CART, **EAST, rule="resolves"),
    alert("ClustersetLookupsFailing", **CART, **EAST, lookup="client"),
    alert("ClustersetErrorBudgetBurn", "warning", **CART, window="6h"),
    alert("ClustersetServiceFailover", **ADS, **EAST),  # the tunnel
    alert("ClustersetFailoverFlapping", **ADS, **EAST),
    alert("ClustersetExporterReloadFailed", **ME),
    alert("ClustersetErrorBudgetBurn", "warning", **ADS, window="6h"),
    alert("ClustersetErrorBudgetBurn", "warning", **ADS, window="3d"),
    alert("ClustersetLocalityBudgetBurn", "warning", **ADS, window="3d"),
    alert("ClustersetCrossClusterLeakage", **ADS, **WEST, destination_cluster="east"),
]
HEARD = [
    *ABOVE.values(),
    alert("ClustersetServiceFailover", **ADS, **WEST),
    alert("ClustersetCrossClusterLeakage", **ADS, **EAST, destination_cluster="west"),
    alert("ClustersetLocalityBudgetBurn", "warning", **OTHERS, window="3d"),
    alert("ClustersetExporterReloadFailed", **OTHER),
]


@asynccontextmanager
async def alertmanager(folder):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    part = parts.Part(
        "alertmanager",
        [
            need("prometheus-alertmanager"),
            f"--config.file={GENERATED / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        folder / "alertmanager.log",
    )
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session, parts.running([part]):

        async def ready():
            part.check()
            try:
                async with session.get(f"{url}/-/ready") as reply:
                    return reply.ok
            except aiohttp.ClientConnectionError:
                return False

        await until(ready, "alertmanager is ready")
        yield session, f"{url}/api/v2/alerts"


def known(labels):
    return tuple(sorted(labels.items()))


async def test_what_is_said_already_is_not_said_again(tmp_path):
    sent = [*HEARD, *SILENT]
    async with alertmanager(tmp_path) as (session, url):
        async with session.post(url, json=[{"labels": each} for each in sent]) as reply:
            assert reply.ok
        states = {}

        async def settled():
            async with session.get(url) as answer:
                for each in await answer.json():
                    states[known(each["labels"])] = each["status"]["state"]
            active = [each for each in states.values() if each == "active"]
            return len(states) == len(sent) and len(active) == len(HEARD)

        with suppress(TimeoutError):  # the comparison below says more
            await until(settled, "alertmanager has looked at all alerts")
    assert {each for each, state in states.items() if state == "active"} == set(map(known, HEARD))
    assert {each for each, state in states.items() if state == "suppressed"} == set(
        map(known, SILENT)
    )
