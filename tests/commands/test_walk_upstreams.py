"""A line of a gateway's log -> reader -> counter -> judge -> counted, over a daemon's stages."""

import asyncio

import pytest

from exporter.commands.run.leaks import LEAK_SETTLES
from tests.commands.test_walk_log_line import CONFIG, NGINX, in_virtual_time, walk
from tests.fakes.virtual import until

STAMP = "07/Jul/2022:07:42:11 +0000"
FORMAT = """\
'$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $request_time \
$host [$upstream_addr] [$upstream_status] $proxy_upstream_name'"""
SOURCES = {
    "by the service of the log": "service: nginx-test/nginx",
    "by the host": "services: {shop.example.com: nginx-test/nginx, gone.example.com: a/b}",
    "by the upstream": "service: {upstream: true}",
}


def line(upstream, statuses, status=200, host="shop.example.com", client="192.0.2.1"):
    return (
        f'{client} [{STAMP}] "GET / HTTP/1.1" {status} 5 "curl" 0.010 {host} [{upstream}] '
        f"[{statuses}] nginx-test-nginx-8080\n"
    )


def config(told):
    return CONFIG.replace("format: main", f"format: {FORMAT}").replace(
        "service: nginx-test/nginx", told
    )


@pytest.mark.parametrize("told", SOURCES.values(), ids=SOURCES)
def test_each_try_is_counted_where_it_was_sent(tmp_path, told):
    in_virtual_time(tries_are_counted(tmp_path, told))


async def tries_are_counted(tmp_path, told):
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, config=config(told))
        await made.write(
            line("10.1.0.9:80", "200") * 3
            + line("10.1.0.9:80, 10.2.0.9:80", "502, 200")
            + line("10.1.0.9:80 : 192.0.2.9:80", "404 : 503", 503)
            + line("-", "-", 304)
        )
        await asyncio.sleep(LEAK_SETTLES + 5.0)
        assert await made.counted("clusterset_upstream_requests_total") == {
            ("east", "east", *NGINX, "local"): 5,
            ("east", "west", *NGINX, "leak"): 1,
            ("east", "external", *NGINX, "external"): 1,
        }
        assert await made.counted("clusterset_upstream_request_failures_total") == {
            ("east", "east", *NGINX, "local"): 1,
            ("east", "external", *NGINX, "external"): 1,
        }
        # Each request is also one of a client.
        assert await made.by_locality() == {("external", "external"): 6}
        made.daemon.stop()


def test_a_host_that_stands_for_no_service_is_told_and_counts_nothing(tmp_path):
    in_virtual_time(foreign_hosts(tmp_path))


async def foreign_hosts(tmp_path):
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, config=config(SOURCES["by the host"]))
        for host in ("www.example.com", "gone.example.com", "-"):
            await made.write(line("10.1.0.9:80", "200", host=host))
        await until(lambda: made.daemon.pages.not_ready() is None)
        await asyncio.sleep(LEAK_SETTLES + 5.0)
        lines = await made.counted("clusterset_exporter_log_lines_total")
        assert {labels[-1]: value for labels, value in lines.items()} == {"foreign": 3}
        assert await made.counted("clusterset_upstream_requests_total") == {}
        assert await made.by_locality() == {}
        made.daemon.stop()
