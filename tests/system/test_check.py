"""`check` on the demo's clusterset in each scene of its story, beside golden files."""

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from exporter.demo.clusterset import clusterset, until
from exporter.demo.layout import SERVICE, claim
from exporter.model.verdicts import Locality

GOLDEN = Path(__file__).parent.parent / "data" / "check"
pytestmark = pytest.mark.timeout(120)


def command(site, *arguments):
    config = str(site.folder / "config.yaml")
    return [sys.executable, "-m", "exporter", "check", "--config.file", config, *arguments]


async def check(site, *arguments):
    process = await asyncio.create_subprocess_exec(
        *command(site, str(SERVICE), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert error == b""
    return process.returncode, out.decode()


def plain(text, sites):
    """Return a text without what differs from run to run."""
    text = text.replace(str(sites[0].folder.parent), "")
    for site, letter in zip(sites, "AB", strict=True):
        text = text.replace(f"127.{site.net}.", f"127.{letter}.")
    return re.sub(r" +\n", "\n", re.sub(r" {2,}", "  ", text))


def golden(name, text):
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


async def test_each_scene_of_the_story(tmp_path):
    with claim(["k8s-node4", "k8s-node5"], tmp_path) as sites:
        here, there = sites
        async with clusterset(sites, tmp_path) as made:

            async def answers(address):
                return await made.ask(here) == address

            async def shows(name, code):
                done, text = await check(here)
                await asyncio.to_thread(golden, name, plain(text, sites))
                assert done == code

            await shows("local", 0)
            # Clients of the other cluster that hold on to an address of this one.
            for _ in range(3):
                await made.request(there, Locality.LEAK, here.service)
            await shows("leak", 0)
            await made.stop_backend(here)
            await shows("failing", 1)
            made.set_ready(here, ready=False)
            await until(lambda: answers(there.service), "the name servers follow")
            await shows("failover", 0)
            made.set_links(here, up=False)
            await until(lambda: answers(None), "the name servers follow")
            await shows("blackout", 1)
            code, text = await check(here, "--json")
            report = json.loads(text)
            assert (code, report["level"], report["serving"]) == (1, "fail", None)
            assert report["verdict"] == "nginx-test/nginx is served to nobody in k8s-node4."
            first, *pinned = report["probes"]
            steps = [(step["step"], step["result"]) for step in first["steps"]]
            assert steps == [("dns", "nodata")]
            assert {probe["pinned_cluster"] for probe in pinned} == {"k8s-node4", "k8s-node5"}


async def test_on_a_terminal_the_clocks_run(tmp_path):
    with claim(["k8s-node4", "k8s-node5"], tmp_path) as sites:
        here, _ = sites
        screen, end = os.openpty()
        async with clusterset(sites, tmp_path), watching(here, stdout=end, stderr=end) as process:
            os.close(end)
            shown = ""
            async with asyncio.timeout(20):
                while len(set(re.findall(r"mode local for (\d+\.\d) s", shown))) < 2:
                    shown += (await asyncio.to_thread(os.read, screen, 65536)).decode()
            process.send_signal(signal.SIGINT)
            reading = asyncio.create_task(asyncio.to_thread(drain, screen))
            assert (await process.wait(), await reading) == (130, None)


def drain(screen):
    """Read what a terminal shows until nobody writes to it."""
    with suppress(OSError):
        while os.read(screen, 65536):
            pass
    os.close(screen)


async def test_watching_tells_each_change(tmp_path):
    with claim(["k8s-node4", "k8s-node5"], tmp_path) as sites:
        here, _ = sites
        async with clusterset(sites, tmp_path) as made, watching(here) as process:

            async def told(pattern):
                """Read lines until one is as wanted; on a busy machine there may be others."""
                async with asyncio.timeout(20):
                    while line := (await process.stdout.readline()).decode():
                        if re.search(pattern, line):
                            return True
                return False

            assert await told("served by k8s-node4, as it should be; k8s-node5 would take over.")
            await made.stop_backend(here)
            assert await told(r"fail .* served to nobody in k8s-node4. \(after \d")
            made.set_ready(here, ready=False)
            assert await told("served by k8s-node5, a failover; nobody would take over.")
            assert await told(
                r"move nginx-test/nginx moved from k8s-node4 to k8s-node5 "
                r"\(readiness\): dns \d+\.\d s, served \d+\.\d s, outage \d+\.\d s"
            )
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130


@asynccontextmanager
async def watching(site, **streams):
    """Run `check --watch`; it does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        *command(site, str(SERVICE), "--watch"),
        # A shell lets what it starts in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **{"stdout": asyncio.subprocess.PIPE} | streams,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
