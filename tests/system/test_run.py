"""The exporter as a process: start, reload, broken files, logs, stop."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from ipaddress import ip_address

import aiohttp
import pytest
from structlog.testing import capture_logs

from exporter.commands.run import process
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from tests.fakes.files import CONFIG, INVENTORY, line, write
from tests.fakes.process import exporter
from tests.fakes.servers import HOST, tcp, udp
from tests.fakes.signed import signed
from tests.probe.test_http import WELL, says

RELOADED = "clusterset_exporter_config_last_reload_successful"
INVENTORY_OK = "clusterset_exporter_inventory_last_reload_successful"
INVENTORY_FAILURES = "clusterset_exporter_inventory_reload_failures_total"
REQUESTS = "clusterset_requests_total"


async def test_a_request_in_the_log_is_scraped(tmp_path):
    async with exporter(write(tmp_path)) as running:
        assert await running.get("/-/ready") == (200, "clusterset-exporter is ready.\n")
        assert await running.get("/-/healthy") == (200, "clusterset-exporter is healthy.\n")
        (tmp_path / "access.log").write_text(line("10.1.0.7") + line("10.1.0.8"))
        await running.until_value(2, REQUESTS, source_cluster="east", locality="local")
        assert await running.value("clusterset_response_bytes_total") == 20


async def until_no_problems(running):
    """Wait until the status lists no problem: it is made at most once a second."""
    async with asyncio.timeout(20):
        while (await running.status())["problems"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_a_log_is_followed_over_a_rotation_and_a_half_line_waits(tmp_path):
    log = tmp_path / "access.log"
    log.write_text(line("10.1.0.1") * 3)
    async with exporter(write(tmp_path)) as running:
        await running.until_value(1, "clusterset_exporter_event_loop_lag_seconds_count")
        with log.open("a") as old:
            old.write(line("10.1.0.1"))
            old.flush()
            await running.until_value(1, REQUESTS, source_cluster="east")
            log.rename(tmp_path / "access.log.1")
            log.write_text(line("10.1.0.1", end=""))
            old.write(line("10.1.0.1"))
        await running.until_value(2, REQUESTS, source_cluster="east")
        with log.open("a") as new:
            new.write("\n")
        await running.until_value(3, REQUESTS, source_cluster="east")
        await running.until_value(1, "clusterset_exporter_log_rotations_total")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well_with_probes_in_flight(tmp_path, number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        port = silent.getsockname()[1]
        config = CONFIG.replace("127.0.0.1:1", f"127.0.0.1:{port}")
        async with exporter(write(tmp_path, config=config)) as running:
            await asyncio.get_running_loop().sock_recv(silent, 512)
            running.process.send_signal(number)
            assert await running.end() == 0
            assert "event=stopping" in running.lines[-1]


async def test_a_broken_inventory_keeps_the_old_one_and_is_told_once(tmp_path):
    async with exporter(write(tmp_path)) as running:
        (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("10.2.0.0/16", "10.1.0.0/16"))
        await running.until_value(1, INVENTORY_FAILURES)
        assert await running.value(INVENTORY_OK) == 0
        status = await running.status()
        assert [cluster["id"] for cluster in status["clusters"]] == ["east", "west"]
        told = "10.1.0.0/16 is claimed by clusters east and west"
        assert told in status["problems"][0]["message"]
        assert sum(told in each for each in running.lines) == 1
        (tmp_path / "inventory.yaml").write_text(INVENTORY + "# well again\n")
        await running.until_value(1, INVENTORY_OK)
        await until_no_problems(running)


async def test_a_changed_inventory_is_taken(tmp_path):
    ready = {"source_cluster": "east", "destination_cluster": "west"}
    async with exporter(write(tmp_path)) as running:
        assert await running.value("clusterset_service_ready", **ready) == 1
        changed = INVENTORY.replace("[127.0.0.2], ready: true", "[127.0.0.2], ready: false")
        (tmp_path / "inventory.yaml").write_text(changed)
        await running.until_value(0, "clusterset_service_ready", **ready)
        assert any('event="inventory changed"' in each for each in running.lines)


async def test_sighup_reloads_and_a_broken_configuration_changes_nothing(tmp_path):
    config = write(tmp_path)
    async with exporter(config) as running:
        config.write_text(CONFIG + "leak_grace: soon\n")
        running.process.send_signal(signal.SIGHUP)
        await running.until_value(0, RELOADED)
        (problem,) = (await running.status())["problems"]
        assert "config.yaml:6: leak_grace: 'soon' is not a duration" in problem["message"]
        config.write_text(CONFIG)
        running.process.send_signal(signal.SIGHUP)
        await running.until_value(1, RELOADED)
        await until_no_problems(running)


async def test_a_changed_key_file_is_used_without_a_reload(tmp_path):
    key, log = tmp_path / "key", tmp_path / "access.log"
    key.write_text("one\n")
    log.touch()
    config = write(tmp_path, config=CONFIG + "probe_key_file: key\n")
    async with exporter(config) as running:
        key.write_text("two\none\n")

        async def changed():
            said = 'event="probe keys changed" signing="another key" valid=2'
            return any(said in each for each in running.lines)

        await running.until(changed)
        with log.open("a") as file:
            for secret in (b"one", b"two", b"three"):
                ms = time.time_ns() // 1_000_000
                agent = signed("west", ms, secret.decode(), key=secret, destination="east")
                file.write(line("10.2.0.9", agent=agent))
        await running.until_value(2, "clusterset_probe_hits_total", verified="true")
        forged = {"reason": "bad_signature"}
        await running.until_value(1, "clusterset_exporter_probe_forgeries_total", **forged)
        await running.until_value(1, "clusterset_requests_total", source_cluster="west")
        key.write_text("\n")

        async def shown():
            return [each["what"] for each in (await running.status())["problems"]] == ["probe keys"]

        await running.until(shown)
        assert not any("three" in each or "two" in each for each in running.lines)


async def test_reload_over_http_says_what_is_wrong(tmp_path):
    config = write(tmp_path)
    async with exporter(config) as running:
        assert await running.get("/-/reload", "POST") == (200, "Reloaded.\n")
        config.write_text(CONFIG.replace("cluster: east", "cluster: west"))
        code, text = await running.get("/-/reload", "PUT")
        assert code == 500
        assert "cluster: cannot change from east to west; restart" in text
        assert (await running.get("/-/reload"))[0] == 405


async def test_a_reload_counts_no_line_twice_and_loses_none(tmp_path):
    config = write(tmp_path)
    log = tmp_path / "access.log"
    async with exporter(config) as running:
        log.write_text(line("10.1.0.1") * 5)
        await running.until_value(5, REQUESTS)
        config.write_text(CONFIG.replace("interval: 1s", "interval: 2s"))
        assert (await running.get("/-/reload", "POST"))[0] == 200
        with log.open("a") as file:
            file.write(line("10.1.0.1"))
        await running.until_value(6, REQUESTS)


async def test_a_log_source_comes_and_goes_by_reload(tmp_path):
    config = write(tmp_path, config=CONFIG[: CONFIG.index("logs:")])
    async with exporter(config) as running:
        (tmp_path / "access.log").write_text(line("10.1.0.1"))
        assert (await running.status())["logs"] is None
        config.write_text(CONFIG)
        assert (await running.get("/-/reload", "POST"))[0] == 200
        # It was there before it was followed, so only what comes now counts.
        (tmp_path / "second.log").touch()
        await running.until_value(0, "clusterset_exporter_log_behind_bytes")
        config.write_text(CONFIG.replace("*.log", "none.log"))
        assert (await running.get("/-/reload", "POST"))[0] == 200
        assert await running.value(REQUESTS) == 0


async def test_another_domain_is_asked_for_after_a_reload(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        text = CONFIG.replace("127.0.0.1:1", f"127.0.0.1:{silent.getsockname()[1]}")
        config = write(tmp_path, config=text)

        async def asked(domain):
            async with asyncio.timeout(10):
                while True:
                    query = await asyncio.get_running_loop().sock_recv(silent, 512)
                    if dns.decode_query(query).name.endswith(domain):
                        return

        async with exporter(config) as running:
            await asked(".svc.clusterset.local")
            config.write_text(text + "clusterset_domain: other.example\n")
            assert (await running.get("/-/reload", "POST"))[0] == 200
            await asked(".svc.other.example")


async def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", "run"),
            *("--config.file", str(write(tmp_path)), "--web.listen-address", listen),
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate()
    assert process.returncode == 1
    told = error.decode()
    assert f' level=error event="exporter ended" error="cannot listen on {listen}: ' in told
    assert told.endswith('; choose an address by --web.listen-address"\n')
    assert "address already in use" in told
    assert told.count("\n") == 1


async def test_nothing_in_the_daemon_blocks_the_loop(tmp_path):
    """In this process, where the detector of blocking calls watches."""
    options = process.Options(
        config_file=write(tmp_path),
        cluster=None,
        listen=(("127.0.0.1", 0),),
        telemetry_path="/metrics",
    )
    with capture_logs() as logs:

        async def told(event, times):
            async with asyncio.timeout(10):
                while sum(each["event"] == event for each in logs) < times:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        running = asyncio.create_task(process.run(options, AsyncioDriver()))
        await told("started", 1)
        (tmp_path / "access.log").write_text(line("10.1.0.1"))
        os.kill(os.getpid(), signal.SIGHUP)
        await told("configuration reloaded", 1)
        options.config_file.write_text("nothing: true\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await told("configuration rejected", 1)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await running


async def test_scrapes_do_not_wait_for_each_other(tmp_path):
    async with exporter(write(tmp_path)) as running, aiohttp.ClientSession() as session:

        async def scrape():
            async with session.get(running.url + "/metrics") as reply:
                return reply.status

        codes = await asyncio.gather(*(scrape() for _ in range(40)))
        assert set(codes) <= {200, 503}
        assert codes.count(200) >= 8


async def test_probes_are_made_in_all_ways_and_by_hand(tmp_path):
    def answers(query):
        read = dns.decode_query(query)
        found = [ip_address(HOST)] if read.type == Type.A else ()
        return [dns.encode_response(read, 0, found, ttl=5)]

    async with udp(answers) as (port, _), tcp(says(WELL)) as web:
        config = CONFIG.replace(
            'resolvers: ["127.0.0.1:1"]',
            f'resolvers: ["{HOST}:{port}"], lighthouse: ["{HOST}:{port}"]',
        )
        inventory = INVENTORY.replace("8080", str(web))
        async with exporter(write(tmp_path, config=config, inventory=inventory)) as running:

            async def all_ways():
                lookups = "clusterset_dns_lookups_total"
                return (
                    await running.value(lookups, lookup="a", vantage="resolver")
                    and await running.value(lookups, lookup="client", vantage="resolver")
                    and await running.value(lookups, lookup="a", vantage="lighthouse")
                    and await running.value("clusterset_probe_rtt_seconds_count")
                )

            await running.until(all_ways)
            assert await running.value("clusterset_dns_lookup_failures_total") == 0
            status, text = await running.get("/probe?target=nginx-test/nginx")
            assert (status, "probe_success 1" in text) == (200, True)
            told = json.loads((await running.get("/api/v1/probes?service=nginx-test/nginx"))[1])
            assert {"client", "a"} == {probe["lookup"] for probe in told["probes"]}
            shown = next(probe for probe in told["probes"] if probe["lookup"] == "client")
            (step,) = shown["steps"]
            assert (step["record"], step["ttl_seconds"], step["result"]) == ("A+AAAA", 5, "ok")
            (tmp_path / "config.yaml").write_text(
                config.replace("timeout: 1s", "timeout: 1s, tcp: {}")
            )
            assert (await running.get("/-/reload", "POST"))[0] == 200

            async def by_tcp():
                return await running.value("clusterset_probes_total", protocol="tcp")

            await running.until(by_tcp)
            assert await running.value("clusterset_probe_failures_total") == 0
