"""The server over real sockets."""

import asyncio
import gzip
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.web.app import Pages, TooOftenError, serve
from exporter.web.entry import Entry, is_ours
from tests.fakes import scenes
from tests.fakes.nouns import NGINX
from tests.fakes.nouns import probe as fakes_probe

PLAIN = {"Accept-Encoding": "identity"}
LIFECYCLE = Entry(lifecycle=True)


async def well():
    return None


@asynccontextmanager
async def running(*, clock=time.monotonic, entry=LIFECYCLE, **changes):
    scene = scenes.steady()
    pages = {
        "metrics": scene.render,
        "status": scene.page_data.status,
        "page": lambda status: f"<p>{status['cluster']}",
        "not_ready": scene.page_data.not_ready,
        "reload": well,
    } | changes
    listen = [("127.0.0.1", 0)]
    async with (
        serve(
            Pages(**pages), listen, telemetry_path="/metrics", entry=entry, clock=clock
        ) as addresses,
        aiohttp.ClientSession("http://{}:{}".format(*addresses[0]), auto_decompress=False) as asked,
    ):
        yield asked


async def test_metrics_as_text_and_as_openmetrics():
    async with running() as asked:
        async with asked.get("/metrics", headers={"Accept-Encoding": ""}) as reply:
            assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "Content-Encoding" not in reply.headers
            assert list(text_string_to_metric_families(await reply.text()))
        wanted = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
        async with asked.get("/metrics", headers=wanted) as reply:
            openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
            assert reply.headers["Content-Type"] == openmetrics
            assert reply.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(await reply.read()).endswith(b"# EOF\n")


async def test_who_was_given_the_metrics_is_told_once_they_were_sent():
    told = []

    def asked_by(who):
        told.append(f"asked {who}")
        return lambda: told.append(f"sent {who}")

    named = {"User-Agent": "Prometheus/3.0 \u00e4" + "x" * 100}
    who = "127.0.0.1 Prometheus/3.0 \u00e4" + "x" * 48
    async with running(asked=asked_by) as asked:
        async with asked.get("/metrics", headers=named) as reply:
            await reply.read()
        async with asked.head("/metrics", headers=named), asked.get("/", headers=named):
            pass
    assert told == [f"asked {who}", f"sent {who}"]


async def test_the_newest_probes_with_every_step():
    data = scenes.failover().page_data
    async with running(probes=data.probes) as asked:
        async with asked.get("/api/v1/probes?service=nginx-test/nginx") as reply:
            told = json.loads(await reply.text())
            one = told["probes"]
            assert told["answer_changes"] == 1
        async with asked.get("/api/v1/probes") as reply:
            every = json.loads(await reply.text())["probes"]
        for unknown in ("no/such", "nginx", ""):
            async with asked.get(f"/api/v1/probes?service={unknown}") as reply:
                assert (reply.status, "namespace/name" in await reply.text()) == (404, True)
    assert len(one) == len(every) == 9
    assert one[0]["steps"][-1]["result"] == "connect_refused"
    assert [probe["at"] for probe in one] == sorted((p["at"] for p in one), reverse=True)


async def test_a_probe_by_hand():
    data, asked_for = scenes.steady().page_data, []

    async def probe(service):
        asked_for.append(service)
        if service.name == "busy":
            raise TooOftenError
        return fakes_probe(1.0, by="b") if service == NGINX else None

    async with running(probe=probe, shown=data.probe) as asked:
        async with asked.get("/probe?target=nginx-test/nginx") as reply:
            text = await reply.text()
        assert {f.name: f.samples[0].value for f in text_string_to_metric_families(text)} == {
            "probe_success": 1,
            "probe_duration_seconds": pytest.approx(0.1),
            "probe_dns_lookup_time_seconds": 0.05,
            "probe_ip_protocol": 4,
            "probe_http_duration_seconds": 0.025,
            "probe_http_status_code": 200,
        }
        async with asked.get("/probe?target=nginx-test/nginx&debug=true") as reply:
            told = json.loads(await reply.text())
        assert (told["destination_cluster"], told["reason"]) == ("b", None)
        assert [step["step"] for step in told["steps"]] == ["dns", "reply"]
        for target, status in (("x/busy", 429), ("x/y", 404), ("junk", 404), ("", 404)):
            async with asked.get(f"/probe?target={target}") as reply:
                assert reply.status == status, target
    assert len(asked_for) == 4


async def test_a_hostile_accept_gives_text():
    async with running() as asked:
        for accept in ("\x80\xff", "application/openmetrics-text;q=" + "9" * 5000, ",;=" * 500):
            async with asked.get("/metrics", headers={"Accept": accept}) as reply:
                assert reply.status == 200
                assert reply.headers["Content-Type"].startswith("text/plain")


async def test_health_readiness_status_and_page():
    async with running() as asked:
        async with asked.get("/-/healthy") as reply:
            assert (reply.status, await reply.text()) == (200, "clusterset-exporter is healthy.\n")
        async with asked.get("/-/ready") as reply:
            assert (reply.status, await reply.text()) == (200, "clusterset-exporter is ready.\n")
        async with asked.get("/api/v1/status") as reply:
            assert reply.headers["Content-Type"] == "application/json"
            assert json.loads(await reply.text())["services"][0]["mode"] == "local"
        async with asked.get("/", headers=PLAIN) as reply:
            assert await reply.text() == "<p>a"
            assert "Content-Encoding" not in reply.headers
        async with asked.get("/", headers={"Accept-Encoding": "br, gzip"}) as reply:
            assert gzip.decompress(await reply.read()) == b"<p>a"
            assert reply.headers["Content-Encoding"] == "gzip"
            assert reply.headers["Vary"] == "Accept-Encoding"
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
            assert reply.headers["X-Frame-Options"] == "DENY"


async def test_not_ready_says_why():
    async with running(not_ready=lambda: "no inventory") as asked, asked.get("/-/ready") as reply:
        assert (reply.status, await reply.text()) == (503, "Not ready: no inventory.\n")


async def test_an_unknown_path_lists_those_there_are():
    async with running() as asked, asked.get("/metric") as reply:
        assert reply.status == 404
        assert "/metrics, /, /api/v1/status" in await reply.text()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("GET", "/-/reload", "POST, PUT"),
    ],
)
async def test_another_method_is_refused_and_the_answer_names_those_allowed(method, path, allowed):
    async with running() as asked, asked.request(method, path) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, allowed)


async def test_head_of_the_metrics_makes_none():
    async with running(metrics=None) as asked, asked.head("/metrics") as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_the_page_and_the_status_are_made_at_most_once_a_second():
    now, made = [100.0], []

    async def status():
        made.append(now[0])
        return {"cluster": len(made)}

    async with running(status=status, clock=lambda: now[0]) as asked:
        for now[0], shown in ((100.0, 1), (100.9, 1), (101.0, 2), (101.5, 2)):
            async with asked.get("/api/v1/status") as reply:
                assert json.loads(await reply.text()) == {"cluster": shown}
        for now[0], shown in ((101.5, 3), (102.4, 3), (102.5, 4)):
            replies = await asyncio.gather(*(asked.get("/", headers=PLAIN) for _ in range(5)))
            assert [await reply.text() for reply in replies] == [f"<p>{shown}"] * 5
    assert made == [100.0, 101.0, 101.5, 102.5]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload(method):
    async with running() as asked, asked.request(method, "/-/reload") as reply:
        assert (reply.status, await reply.text()) == (200, "Reloaded.\n")


async def test_a_failed_reload_says_why():
    async def broken():
        return "config.yaml:3: nothing"

    async with running(reload=broken) as asked, asked.post("/-/reload") as reply:
        assert reply.status == 500
        assert "the old configuration stays: config.yaml:3: nothing" in await reply.text()


async def test_without_lifecycle_nobody_reloads_and_another_method_is_still_another_method():
    async with running(entry=Entry(), reload=None) as asked:
        for method, status in (("POST", 403), ("PUT", 403), ("GET", 405)):
            async with asked.request(method, "/-/reload") as reply:
                assert reply.status == status
        async with asked.post("/-/reload") as reply:
            assert (await reply.text()).startswith("Lifecycle API is not enabled.")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "rebound.example:9877", "Origin": "http://rebound.example:9877"},
        {"Host": "rebound.example"},
    ],
    ids=["origin", "site", "rebound", "host"],
)
async def test_another_sites_page_can_neither_reload_nor_probe(headers):
    probed = []

    async def probe(service):
        probed.append(service)

    async def reload():
        probed.append("reload")

    async with running(probe=probe, reload=reload) as asked:
        for method, path in (("POST", "/-/reload"), ("GET", "/probe?target=a/b")):
            async with asked.request(method, path, headers=headers) as reply:
                assert reply.status == 403
        # What is only read is answered, because Prometheus may know us by any name.
        async with asked.get("/metrics", headers=headers) as reply:
            assert reply.status == 200
    assert probed == []


async def test_a_name_that_is_allowed_may_reload():
    entry = Entry(lifecycle=True, hosts=frozenset({"exporter.example"}))
    async with running(entry=entry) as asked:
        for host in ("exporter.example", "Exporter.Example:9877", "exporter.example."):
            async with asked.post("/-/reload", headers={"Host": host}) as reply:
                assert reply.status == 200
        async with asked.post("/-/reload", headers={"Host": "x.exporter.example"}) as reply:
            assert reply.status == 403


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:9877", True),
        ("10.0.0.7", True),
        ("[::1]:9877", True),
        ("[fd00::7]", True),
        ("localhost:9877", True),
        ("grafana.localhost", True),
        ("clusterset-exporter:9877", True),
        ("exporter.monitoring.svc", True),
        ("exporter.monitoring.svc.cluster.local.:9877", True),
        ("node1.example.internal", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("svc.evil.example:80", False),
        ("localhost.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("[evil.example]", False),
        ("evil.example]:1", False),
        ("evil.example:80:80", False),
        ("evil.example:x", False),
    ],
)
def test_whose_name_a_host_is(host, ours):
    assert is_ours(host, frozenset()) is ours


async def test_scrapes_that_come_while_a_text_is_made_share_the_next_one():
    begun, go_on, here = [], asyncio.Event(), asyncio.Event()

    async def slow(openmetrics):
        begun.append(openmetrics)
        here.set()
        await go_on.wait()
        yield b"x %d\n" % len(begun)

    async with running(metrics=slow) as asked:
        first = asyncio.create_task(asked.get("/metrics"))
        await here.wait()
        later = [asyncio.create_task(asked.get("/metrics")) for _ in range(50)]
        # They have come when a request that was sent after them is answered.
        async with asked.get("/-/healthy") as reply:
            assert reply.status == 200
        go_on.set()
        texts = [await (await each).read() for each in (first, *later)]
    assert gzip.decompress(texts[0]) == b"x 1\n"
    # A request sees only what was true after it came.
    assert {gzip.decompress(each) for each in texts[1:]} <= {b"x 2\n", b"x 3\n"}
    assert len(begun) <= 3


async def test_a_scraper_that_hangs_up_leaves_nothing_behind():
    async with running() as asked:
        address = asked._base_url
        for _ in range(30):
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            writer.transport.abort()
        async with asyncio.timeout(10):
            while True:
                async with asked.get("/metrics") as reply:
                    if reply.status == 200:
                        break


async def test_an_address_in_use_is_an_oserror():
    async with running() as asked:
        taken = ("127.0.0.1", asked._base_url.port)
        pages = Pages(metrics=None, status=well, page=str, not_ready=str, reload=well)
        with pytest.raises(OSError, match="address already in use"):
            async with serve(pages, [taken], telemetry_path="/metrics"):
                pass
