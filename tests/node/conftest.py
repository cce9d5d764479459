"""The node, and the cluster on it, for the tests of this folder."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.tools import need
from tests.node.cluster import ROOT, Cluster
from tests.node.servers import Node, keep_addresses

STATE = os.environ.get("NODE_STATE")


@pytest.fixture(scope="session")
def node():
    """Return the node; it needs the namespaces of `run`."""
    if STATE is None:
        pytest.skip("these tests run in the namespaces of tests/node/run; see make e2e-node")
    folder = Path(STATE) / "node"
    folder.mkdir()
    with Node(folder) as made:
        for archive in sorted(Path(os.environ["NODE_IMAGES"]).glob("*.tar")):
            made.load(archive)
        yield made


@pytest.fixture(scope="session")
def cluster(node):
    """Return the cluster with its nginx ready; no exporter runs in it yet."""
    made = Cluster(node)
    made.fill()
    agents = [sys.executable, "-m", "tests.node.agents", made.kube.url, node.directory / "ca.crt"]
    other = [need("ip"), "netns", "exec", "other", sys.executable, "-m", "http.server", "80"]
    with ExitStack() as stack:
        log = stack.enter_context((node.directory / "agents.log").open("w"))
        for command in ([*agents, node.directory], [*other, "--bind", "100.2.0.10"]):
            running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            stack.callback(running.wait, 10)
            stack.callback(running.kill)
        stack.callback(made.let_go_of_messages)
        made.nginx_ready()
        made.join_client()
        keep_addresses()
        yield made


@pytest.fixture(autouse=True)
def _no_clients_left(request):
    """End the clients of a test that failed, because they would be counted in the next one."""
    yield
    if "cluster" in request.fixturenames:
        for client in request.getfixturevalue("cluster").clients:
            with client:
                client.kill()
        request.getfixturevalue("cluster").clients.clear()


@pytest.fixture(scope="module")
def exporters(cluster):
    """Return the cluster with two exporters ready, one of which leads and reads logs of pods."""
    cluster.install()
    cluster.leads()
    return cluster
