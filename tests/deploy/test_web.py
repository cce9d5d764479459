"""TLS and passwords of the endpoint: what the chart says, and an exporter started with that."""

import ssl

import aiohttp
import bcrypt
import pytest
import trustme
import yaml

from tests.fakes.charts import MATRIX, objects, one, pod
from tests.fakes.process import exporter

pytestmark = pytest.mark.slow

PASSWORD = "secret"
USERS = {"alice": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
TLS = {"cert_file": "tls.crt", "key_file": "tls.key"}
WEB, TLS_WEB = MATRIX["passwords"], MATRIX["tls"]
INVENTORY = "clusters: [{id: east, pod_cidrs: [10.1.0.0/16]}]\nservices: []\n"
CONFIG = "cluster: east\ninventory: {static: inventory.yaml}\nprobe: {resolvers: ['127.0.0.1:9']}\n"


def container_of(found, kind):
    (container,) = pod(found, kind)["containers"]
    return container


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def mounted(tmp_path, authority):
    """Fill folders as a kubelet fills the mounts of a container; return its arguments for them."""

    def fill(container, web):
        folders = {
            m["name"]: (m["mountPath"], tmp_path / m["name"]) for m in container["volumeMounts"]
        }
        for _, folder in folders.values():
            folder.mkdir()
        (folders["config"][1] / "config.yaml").write_text(CONFIG)
        (folders["config"][1] / "inventory.yaml").write_text(INVENTORY)
        inside = folders["web"][1]
        (inside / "web.yaml").write_text(yaml.safe_dump(web))
        made = authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(inside / "tls.key")
        made.cert_chain_pems[0].write_to_path(inside / "tls.crt")
        given = []
        for argument in container["args"]:
            for path, folder in folders.values():
                argument = argument.replace(f"={path}/", f"={folder}/")  # noqa: PLW2901
            given.append(argument)
        return given

    return fill


@pytest.mark.parametrize(
    ("values", "web"),
    [
        pytest.param(WEB, {"basic_auth_users": USERS}, id="passwords"),
        pytest.param(TLS_WEB, {"basic_auth_users": USERS, "tls_server_config": TLS}, id="tls"),
    ],
)
async def test_kubelet_and_prometheus_come_in_as_the_chart_tells_them(
    values, web, mounted, authority
):
    found = objects(values)
    container = container_of(found, "Deployment")
    run, config, *given = mounted(container, web)
    assert (run, config.split("=")[0]) == ("run", "--config.file")
    monitor = one(found, "ServiceMonitor" if "serviceMonitor" in values else "PodMonitor")["spec"]
    (endpoint,) = monitor.get("endpoints") or monitor["podMetricsEndpoints"]
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with exporter(
        config.split("=")[1], *given, scheme=endpoint.get("scheme", "http")
    ) as running:
        address = running.url.split("://")[1]
        for name in ("livenessProbe", "readinessProbe"):
            asked = container[name]["httpGet"]
            url = f"{asked.get('scheme', 'HTTP').lower()}://{address}{asked['path']}"
            # A kubelet looks at no certificate and has no password.
            async with running.session.get(url) as reply:
                assert reply.status == 200
        login = {"Authorization": aiohttp.encode_basic_auth("alice", PASSWORD)}
        for headers, code in (({}, 401), (login, 200)):
            asked = running.session.get(f"{running.url}/metrics", headers=headers, ssl=trusted)
            async with asked as reply:
                assert reply.status == code


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_the_secrets_are_side_by_side(kind):
    found = objects(TLS_WEB)
    (volume,) = [each for each in pod(found, kind)["volumes"] if each["name"] == "web"]
    sources = [each["secret"]["name"] for each in volume["projected"]["sources"]]
    assert sources == ["web", "certificate"]
    probes = [container_of(found, kind)[f"{name}Probe"] for name in ("liveness", "readiness")]
    assert [each["httpGet"]["scheme"] for each in probes] == ["HTTPS", "HTTPS"]


def test_monitors_are_told_how_to_come_in():
    (endpoint,) = one(objects(TLS_WEB), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint == {
        "port": "metrics",
        "interval": "30s",
        "scheme": "https",
        **TLS_WEB["web"]["scrape"],
    }
    (endpoint,) = one(objects(WEB), "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "metrics", "interval": "30s"}


def test_a_service_monitor_sends_the_token_of_prometheus_unless_it_is_given_another():
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    values = MATRIX["tokens"]
    (endpoint,) = one(objects(values), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["bearerTokenFile"] == token
    own = {"authorization": {"credentials": {"name": "scrape", "key": "token"}}}
    values = values | {"web": values["web"] | {"scrape": own}}
    (endpoint,) = one(objects(values), "ServiceMonitor")["spec"]["endpoints"]
    assert "bearerTokenFile" not in endpoint
    assert endpoint["authorization"] == own["authorization"]


def test_annotations_name_the_scheme():
    def annotations(web):
        metadata = one(objects({"web": web}), "Deployment")["spec"]["template"]["metadata"]
        return metadata["annotations"]

    assert annotations({"secrets": ["web"], "tls": True})["prometheus.io/scheme"] == "https"
    assert "prometheus.io/scheme" not in annotations({"secrets": ["web"]})


def test_karmada_spreads_the_secrets_to_where_they_are_mounted():
    policy = one(objects(TLS_WEB), "ClusterPropagationPolicy", "clusterset-exporter")
    spread = [
        (each["namespace"], each["name"])
        for each in policy["spec"]["resourceSelectors"]
        if each["kind"] == "Secret"
    ]
    places = ("clusterset-exporter", "clusterset-exporter-node-logs")
    assert spread == [(place, name) for name in ("web", "certificate") for place in places]
