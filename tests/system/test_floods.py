"""Floods from outside: bounded lines and work, and everything is well afterwards."""

import asyncio
import signal
import socket
from contextlib import ExitStack

from tests.fakes.files import CONFIG, INVENTORY, write
from tests.fakes.process import exporter

MANY = 200
FEW_FILES = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
FAILED = "clusterset_probe_failures_total"


def events(running, text):
    return [line for line in running.lines if f'event="{text}"' in line]


async def test_a_storm_of_signals_is_a_few_reloads(tmp_path):
    async with exporter(write(tmp_path)) as running:
        before = await running.value(
            "clusterset_exporter_config_last_reload_success_timestamp_seconds"
        )
        for _ in range(MANY):
            running.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.002)
        answers = await asyncio.gather(*(running.get("/-/reload", "POST") for _ in range(30)))
        assert set(answers) == {(200, "Reloaded.\n")}
        after = await running.value(
            "clusterset_exporter_config_last_reload_success_timestamp_seconds"
        )
        # One a second, whoever asks.
        assert len(events(running, "configuration reloaded")) <= 2 + (after - before) / 10
        assert running.process.returncode is None


async def test_an_inventory_that_changes_all_the_time_is_a_few_lines(tmp_path):
    rows = (
        "  - {{namespace: shop, name: s{n}, exports: "
        "[{{cluster: east, addresses: [127.0.0.1], ready: {ready}}}]}}\n"
    )

    def inventory(ready):
        every = "".join(rows.format(n=n, ready=ready) for n in range(500))
        return INVENTORY + every

    config = CONFIG.replace("interval: 1s", "interval: 60s")
    files = write(tmp_path, config=config, inventory=inventory("true"))
    async with exporter(files) as running:
        labels = {"destination_service_name": "s499"}
        for ready in ("false", "true", "false"):
            (tmp_path / "inventory.yaml").write_text(inventory(ready))
            wanted = float(ready == "true")
            await running.until_value(wanted, "clusterset_service_ready", **labels)
        lines = events(running, "inventory changed")
        assert 0 < len(lines) < 100
        assert await running.value("clusterset_exporter_stage_restarts_total") == 0


async def test_without_file_descriptors_it_waits_and_is_well_afterwards(tmp_path):
    def connect(stack):
        for n in range(100):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.1.{n % 10 + 1}", 0))
            sock.setblocking(False)
            host, _, port = running.url.removeprefix("http://").rpartition(":")
            sock.connect_ex((host, int(port)))

    async with exporter(write(tmp_path), before=FEW_FILES) as running:
        with ExitStack() as stack:
            connect(stack)

            async def refused():
                return bool(events(running, "connections not accepted"))

            await running.until(refused)
        assert len(events(running, "connections not accepted")) <= 3

        async def healthy():
            return (await running.get("/-/healthy"))[0] == 200

        await running.until(healthy)
        # No file for a socket is our own fault, and says nothing about the service.
        assert await running.value(FAILED, reason="resource") >= 0
        assert await running.value("clusterset_exporter_stage_restarts_total") == 0
        before = await running.value("clusterset_probes_total")

        async def probes_go_on():
            return await running.value("clusterset_probes_total") > before

        await running.until(probes_go_on)
