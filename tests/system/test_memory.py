"""What an exporter of many services holds."""

import re
from pathlib import Path

from exporter.model.verdicts import Mode
from tests.fakes.files import write
from tests.fakes.process import exporter

SERVICES = 1000
MOST = 75.0
"""Megabytes: the bar of docs/benchmarks.md. The HTTP server takes about 12 (decision 12)."""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {interval: 1h, resolvers: ["127.0.0.1:1"], http: {expect_status: ["200"]}}
"""


def inventory():
    exports = ", ".join(
        f"{{cluster: {cluster}, addresses: [127.0.0.{n}], ready: true}}"
        for n, cluster in enumerate(("east", "west", "north"), 1)
    )
    yield "clusters: [{id: east}, {id: west}, {id: north}]\nservices:\n"
    for n in range(SERVICES):
        yield f"  - {{namespace: shop, name: svc-{n}, ports: [{{name: p, port: 1}}], "
        yield f"exports: [{exports}]}}\n"


def megabytes(pid):
    told = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", told)[1]) / 1024


async def test_a_thousand_services_of_three_clusters_take_little_memory(tmp_path):
    write(tmp_path, config=CONFIG, inventory="".join(inventory()))
    async with exporter(tmp_path / "config.yaml") as running:
        for _ in range(3):
            status, text = await running.get("/metrics")
            assert status == 200
        assert text.count("\nclusterset_service_mode{") == len(Mode) * SERVICES
        assert megabytes(running.process.pid) < MOST
