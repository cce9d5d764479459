"""A kubeconfig for a real API server, read by the official client, used by ours."""

import yaml

from exporter.apiserver.auth import find
from exporter.apiserver.client import ApiClient
from tests.fakes.apiaccess import ADMIN


async def test_a_kubeconfig_leads_to_the_server(servers, tmp_path):
    path = tmp_path / "config"
    cluster = {"server": servers.url, "certificate-authority": str(servers.directory / "ca.crt")}
    content = {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": ADMIN}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "mon"}}],
    }
    path.write_text(yaml.safe_dump(content))
    async with ApiClient(await find({}, kubeconfig=str(path))) as client:
        assert client.namespace == "mon"
        assert await client.may("delete", "nodes")
