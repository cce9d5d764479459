"""What gateways say of tunnels, strictly and as Lighthouse remembers it."""

import pytest

from exporter.discover.findings import FindingKind
from exporter.discover.gateways import STALE_AFTER, Remembered
from exporter.discover.parse_submariner import parse_gateway
from tests.fakes.objects import NOW, Objects


def connection(status="connected", cluster="cluster2", using="172.18.0.5", **more):
    return {"status": status, "usingIP": using, "endpoint": {"cluster_id": cluster}} | more


def says(*connections, ha="active"):
    """Return a change of the scene's gateway."""

    def change(objects):
        status = objects.get("Gateway", "gw1")["status"]
        status.update(haStatus=ha, connections=list(connections))

    return change


def gone(objects):
    objects.drop("Gateway")


def silent(objects):
    meta = objects.get("Gateway", "gw1")["metadata"]
    meta["annotations"]["update-timestamp"] = str(int(NOW - STALE_AFTER - 1))


@pytest.mark.parametrize(
    ("steps", "strict", "lighthouse"),
    [
        pytest.param([says(connection())], True, True, id="connected"),
        pytest.param([says(connection("error"))], False, False, id="error"),
        pytest.param([says(connection("connecting"))], False, False, id="connecting"),
        pytest.param([says(connection()), says(connection("error"))], False, False, id="lost"),
        pytest.param([says(connection()), says()], False, True, id="its entry vanished"),
        pytest.param([says(connection()), gone], False, True, id="the gateway vanished"),
        pytest.param([says(connection()), silent], False, True, id="the gateway fell silent"),
        pytest.param([silent], False, True, id="silent before the first look"),
        pytest.param([gone], False, False, id="gone before the first look"),
        pytest.param([says(connection("error")), says()], False, False, id="lost, then no entry"),
        pytest.param([says(connection(), ha="passive")], False, False, id="passive"),
        pytest.param(
            [says(connection()), says(connection("error"), ha="passive")],
            False,
            True,
            id="became passive",
        ),
        pytest.param(
            [says(connection("error")), says(connection())], True, True, id="lost and found"
        ),
        pytest.param(
            [says(connection("error"), connection(cluster="cluster3"))],
            False,
            False,
            id="another cluster's tunnel",
        ),
    ],
)
def test_strictly_connected_and_connected_as_lighthouse_sees_it(steps, strict, lighthouse):
    seen = None
    for step in steps:
        objects = Objects("scene")
        step(objects)
        seen = objects.discover(previous=seen)
    two = seen.inventory.clusters["cluster2"]
    assert (two.connected, two.answered) == (strict, lighthouse)
    assert ("cluster2" in seen.inventory.connected) is strict
    assert ("cluster2" in seen.inventory.answered) is lighthouse


@pytest.mark.parametrize(
    ("version", "using", "counts"),
    [
        ((0, 20, 1), None, True),
        ((0, 21, 0), None, False),
        (None, None, False),
        ((0, 21, 0), "172.18.0.5", True),
        ((0, 21, 0), "fd00::5", True),
    ],
)
def test_since_021_a_tunnel_counts_by_the_address_it_uses(version, using, counts):
    gateway = parse_gateway(
        {"status": {"haStatus": "active", "connections": [connection(using=using)]}}
    )
    assert ("cluster2" in Remembered().after([gateway], version).connected) is counts


def test_since_021_a_cluster_is_connected_by_either_family():
    def after(remembered, *connections):
        found = {"status": {"haStatus": "active", "connections": list(connections)}}
        return remembered.after([parse_gateway(found)], (0, 21, 0))

    both = after(Remembered(), connection(), connection(using="fd00::5"))
    one = after(both, connection("error"), connection(using="fd00::5"))
    none = after(one, connection("error"), connection("error", using="fd00::5"))
    assert [bool(each.connected) for each in (both, one, none)] == [True, True, False]


@pytest.mark.parametrize(
    ("age", "connected"), [(0, True), (STALE_AFTER, True), (STALE_AFTER + 1, False), (-60, True)]
)
def test_a_gateway_is_believed_while_it_speaks(age, connected):
    seen = Objects("scene").discover(now=NOW + age)
    assert seen.inventory.clusters["cluster2"].connected is connected
    assert [each.kind for each in seen.findings] == (
        [] if connected else [FindingKind.STALE_GATEWAY]
    )


@pytest.mark.parametrize("stamp", [None, "", "yesterday", "nan", "9" * 400])
def test_a_gateway_that_never_tells_the_time_is_believed_and_named(stamp):
    objects = Objects("scene")
    objects.get("Gateway", "gw1")["metadata"]["annotations"]["update-timestamp"] = stamp
    seen = objects.discover(now=NOW + 1e6)
    assert seen.inventory.clusters["cluster2"].connected
    (finding,) = seen.findings
    assert (finding.kind, finding.about) == (FindingKind.GATEWAY_WITHOUT_TIME, "gateway gw1")


def test_no_active_gateway_is_found_and_nothing_is_connected():
    objects = Objects("scene")
    objects.get("Gateway", "gw1")["status"]["haStatus"] = "passive"
    seen = objects.discover()
    assert seen.inventory.connected == {"cluster1"}
    assert [each.kind for each in seen.findings] == [FindingKind.NO_ACTIVE_GATEWAY]


def test_where_submariner_is_not_installed_nothing_is_said_of_tunnels():
    objects = Objects("scene")
    objects.drop("Gateway", "Submariner")
    seen = objects.discover(without={"gateways", "submariners"})
    two = seen.inventory.clusters["cluster2"]
    assert (two.connected, two.answered, two.latency) == (True, None, None)
    assert not seen.inventory.knows_gateways
    assert seen.findings == frozenset()


def test_a_cluster_that_only_the_gateway_knows_is_there():
    objects = Objects("scene")
    says(connection(), connection(cluster="cluster3"))(objects)
    assert objects.discover().inventory.connected == {"cluster1", "cluster2", "cluster3"}


@pytest.mark.parametrize(
    ("latency", "seconds"),
    [
        ({"average": "447.358µs", "last": "1ms"}, 447.358e-6),
        ({"last": "12ms"}, 0.012),
        ({"average": "1m2.5s"}, 62.5),
        ({"average": "soon"}, None),
        (None, None),
    ],
)
def test_latency(latency, seconds):
    objects = Objects("scene")
    says(connection(latencyRTT=latency))(objects)
    two = objects.discover().inventory.clusters["cluster2"]
    assert two.latency == (None if seconds is None else pytest.approx(seconds))


def test_the_version_is_that_of_the_active_gateway():
    objects = Objects("scene")
    other = objects.copy("Gateway", "gw1")
    other["metadata"]["name"] = "gw0"
    other["status"].update(haStatus="passive", version="v0.18.0", connections=[])
    assert objects.discover().inventory.version == (0, 19, 0)
    objects.get("Gateway", "gw1")["status"]["version"] = "devel"
    assert objects.discover().inventory.version == (0, 18, 0)
    objects.drop("Gateway")
    assert objects.discover().inventory.version == (0, 19, 0)
