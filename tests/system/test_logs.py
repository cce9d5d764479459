"""Access logs of a real nginx under load, rotated, truncated, sent by syslog; and restarts."""

import asyncio
import signal
import subprocess

import pytest

from tests.fakes.files import CONFIG, INVENTORY, line, write
from tests.fakes.nginx import nginx
from tests.fakes.process import exporter
from tests.fakes.tools import need

pytestmark = pytest.mark.system
REQUESTS = "clusterset_requests_total"
ROTATIONS = 12


def configure(folder, site, *, files="access.log", extra=""):
    text = INVENTORY.replace("10.1.0.0/16", site.pods)
    source = CONFIG[CONFIG.index("logs:") :]
    logs = source.replace('"*.log"', f'"{files}"')
    return write(folder, config=CONFIG.replace(source, logs) + extra, inventory=text)


async def test_not_one_line_is_lost_or_counted_twice_while_logs_are_rotated(tmp_path):
    log = tmp_path / "access.log"
    async with (
        nginx(tmp_path, log) as server,
        exporter(configure(tmp_path, server.site)) as running,
        asyncio.TaskGroup() as group,
    ):
        stop = asyncio.Event()
        loading = group.create_task(server.load(stop))
        for n in range(ROTATIONS):
            await running.until_value(n, "clusterset_exporter_log_rotations_total")
            log.rename(tmp_path / f"access.log.{n}")
            # Its workers write on into the old file until the signal reaches them.
            before = server.answered
            while server.answered < before + 20:  # noqa: ASYNC110 - clients count
                await asyncio.sleep(0.005)
            server.reopen()
        stop.set()
        await loading
        await running.until_value(server.answered, REQUESTS, source_cluster="east")
        assert server.answered > 100 * ROTATIONS / 2
        assert await running.value("clusterset_exporter_log_truncations_total") == 0


async def test_logrotate_with_copytruncate(tmp_path):
    log, rules = tmp_path / "access.log", tmp_path / "logrotate.conf"
    rules.write_text(f"{log} {{\n  copytruncate\n  rotate 9\n  size 1\n}}\n")
    command = [need("logrotate"), "-f", "-s", str(tmp_path / "state"), str(rules)]
    async with (
        nginx(tmp_path, log) as server,
        exporter(configure(tmp_path, server.site)) as running,
    ):
        for n in range(1, 5):
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(server.load(stop))
                while server.answered < 200 * n:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                stop.set()
            # What is not read before the cut is lost to anybody, so here it is read first.
            await running.until_value(server.answered, REQUESTS)
            await asyncio.to_thread(subprocess.run, command, check=True)
            await running.until_value(n, "clusterset_exporter_log_truncations_total")
        assert await running.value(REQUESTS) == server.answered


async def test_nginx_sends_its_log_by_syslog(tmp_path):
    path = tmp_path / "log.sock"
    config = CONFIG.replace('files: ["*.log"]', f'syslog: "unix://{path}"')
    async with nginx(tmp_path, f"syslog:server=unix:{path}") as server:
        text = INVENTORY.replace("10.1.0.0/16", server.site.pods)
        async with exporter(write(tmp_path, config=config, inventory=text)) as running:
            # The kernel keeps ten such messages; nginx does not wait where there is no room.
            for _ in range(40):
                await server.ask(5)
                await running.until_value(server.answered, REQUESTS, locality="local")
            assert await running.value("clusterset_exporter_log_drops_total") == 0
            running.process.send_signal(signal.SIGTERM)
            assert await running.end() == 0
        assert not path.exists()


STATE = "state_directory: state\n"


async def test_a_restart_loses_nothing_and_counts_nothing_twice(tmp_path):
    log = tmp_path / "access.log"
    log.write_text(line("10.1.0.1") * 9)
    config = write(tmp_path, config=CONFIG + STATE)
    async with exporter(config) as running:
        assert await running.value(REQUESTS) == 0
        with log.open("a") as file:
            file.write(line("10.1.0.1") * 3 + line("10.1.0.1", end=""))
        await running.until_value(3, REQUESTS)
        running.process.send_signal(signal.SIGTERM)
        assert await running.end() == 0
    with log.open("a") as file:
        file.write("\n" + line("10.1.0.1") * 4)
    log.rename(tmp_path / "access.log.1")
    log.write_text(line("10.1.0.1") * 2)
    async with exporter(config) as running:
        # The half line, four that came while nobody read, and two in a new file.
        await running.until_value(7, REQUESTS)
        await running.until_value(0, "clusterset_exporter_log_behind_bytes")
        assert await running.value(REQUESTS) == 7


async def test_after_a_crash_nothing_is_lost(tmp_path):
    log = tmp_path / "access.log"
    log.touch()
    config = write(tmp_path, config=CONFIG + STATE)
    async with exporter(config) as running:
        with log.open("a") as file:
            file.write(line("10.1.0.1") * 5)
        await running.until_value(5, REQUESTS)

        async def saved():
            paths = list((tmp_path / "state").glob("log-*.json"))
            return paths and f'"offset":{log.stat().st_size}' in paths[0].read_text()

        await running.until(saved)
        running.process.kill()
        await running.end()
    with log.open("a") as file:
        file.write(line("10.1.0.1") * 2)
    async with exporter(config) as running:
        await running.until_value(2, REQUESTS)


async def test_a_broken_checkpoint_is_no_reason_not_to_run(tmp_path):
    config = write(tmp_path, config=CONFIG + STATE)
    async with exporter(config) as running:
        running.process.send_signal(signal.SIGTERM)
        assert await running.end() == 0
    (path,) = (tmp_path / "state").glob("log-*.json")
    path.write_text("{")
    async with exporter(config) as running:
        await running.until_value(1, "clusterset_exporter_checkpoint_failures_total")
        (problem,) = (await running.status())["problems"]
        assert "is broken" in problem["message"]
        assert path.with_suffix(".bad").exists()


async def test_a_reload_goes_on_where_reading_stopped(tmp_path):
    """The way lines are counted changes, so the stage does; its place does not."""
    config = write(tmp_path)
    log = tmp_path / "access.log"
    async with exporter(config) as running:
        log.write_text(line("10.1.0.1") * 5)
        await running.until_value(5, REQUESTS)
        config.write_text(CONFIG + "attribution: {ignore: {paths: [/healthz]}}\n")
        with log.open("a") as file:
            file.write(line("10.1.0.1") * 2)
        assert (await running.get("/-/reload", "POST"))[0] == 200
        with log.open("a") as file:
            file.write(line("10.1.0.1"))
        await running.until_value(8, REQUESTS)


async def test_containers_logs_and_hosts(tmp_path):
    form = (
        r"'$remote_addr - [$time_local] \"$request\" $status $body_bytes_sent "
        r"\"$http_user_agent\" $request_time $host'"
    ).replace(r"\"", '"')
    config = CONFIG[: CONFIG.index("logs:")] + (
        f"logs:\n  - files: ['*.log']\n    format: {form}\n    wrapper: cri\n"
        "    service: {host: true}\n"
    )
    text = (
        '10.1.0.1 - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 10 "curl" 0.004 '
        "nginx.nginx-test.svc.clusterset.local"
    )
    head = "2022-07-07T07:42:11.1Z stdout"
    async with exporter(write(tmp_path, config=config)) as running:
        with (tmp_path / "a.log").open("w") as file:
            file.write(f"{head} F {text}\n{head} P {text[:30]}\n")
            file.flush()
            await running.until_value(1, REQUESTS, source_cluster="east", locality="local")
            file.write(f"{head} F {text[30:]}\n{head} F {text.replace('nginx.', 'other.', 1)}\n")
        await running.until_value(2, REQUESTS)
        foreign = {"outcome": "foreign"}
        await running.until_value(1, "clusterset_exporter_log_lines_total", **foreign)
        duration = "clusterset_request_duration_seconds"
        assert await running.value(f"{duration}_count") == 2
        assert await running.value(f"{duration}_sum") == pytest.approx(0.008)


@pytest.mark.parametrize("kind", ["pipe", "file"])
async def test_standard_input(tmp_path, kind):
    config = write(tmp_path, config=CONFIG.replace('"*.log"', '"-"'))
    text = (line("10.1.0.1") * 3_000 + "x" * 200_000 + "\n" + line("10.1.0.1", end="")).encode()
    stdin = asyncio.subprocess.PIPE
    if kind == "file":
        (tmp_path / "in").write_bytes(text)
        stdin = (tmp_path / "in").open()
    async with exporter(config, stdin=stdin) as running:
        if kind == "pipe":
            running.process.stdin.write(text)
            running.process.stdin.close()
        else:
            stdin.close()
        await running.until_value(3_001, REQUESTS)
        assert await running.value("clusterset_exporter_log_lines_total", outcome="truncated") == 1
        running.process.send_signal(signal.SIGTERM)
        assert await running.end() == 0


@pytest.mark.parametrize("kind", ["missing", "a folder", "a socket in use"])
async def test_a_log_that_cannot_be_read_is_a_problem_and_no_end(tmp_path, kind):
    config = CONFIG
    if kind == "a folder":
        (tmp_path / "x.log").mkdir()
    elif kind == "a socket in use":
        (tmp_path / "x").write_text("in the way")
        config = CONFIG.replace('files: ["*.log"]', f'syslog: "unix://{tmp_path}/x"')
    async with exporter(write(tmp_path, config=config)) as running:
        problems = (await running.status())["problems"]
        assert bool(problems) is (kind != "missing")
        failed = await running.value("clusterset_exporter_log_errors_total")
        assert failed == (kind != "missing")
