"""`report` on the demo's Prometheus: the page says what the story staged."""

import asyncio
import re
import sys

import pytest

from exporter.demo.clusterset import until
from exporter.demo.compare import SLACK
from exporter.demo.story import Story
from tests.fakes.demoscene import watched_demo
from tests.fakes.narrator import Silent

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


async def report(url, output):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "report", "--prometheus", url, "--since", "5m"),
        *("--price-per-gb", "0.02", "--output", str(output)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    assert (process.returncode, error) == (0, b"")
    return output.read_text()


def rows(text, title):
    """Return the cells of the first table under a heading of a Markdown page."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]
    lines = [each for each in section.splitlines() if each.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def percent(text):
    return float(text.removesuffix(" %"))


async def test_the_page_is_what_was_staged(tmp_path):
    async with watched_demo(tmp_path) as scene:
        made = scene.made

        # What was counted before the first sample is in no difference.
        async def watched():
            first = await scene.number("count(clusterset_requests_total)")
            return first and await scene.number("sum(up)") == len(scene.sites)

        await until(watched, "prometheus has a sample of each exporter")
        story = Story(made, Silent())
        await story.play()
        wanted = made.requests.total()

        async def scraped():
            # Some seconds ago, so that the end of the report is behind it.
            counted = await scene.number("sum(clusterset_requests_total offset 5s)")
            moves = await scene.number("sum(clusterset_failovers_total offset 5s)")
            return counted == wanted and moves == len(story.moves)

        await until(scraped, f"prometheus has {wanted} requests and all moves")
        text = await report(scene.url, tmp_path / "page.md")
        page = await report(scene.url, tmp_path / "page.html")
    here, there = (site.id for site in scene.sites)
    by = made.requests
    mine = sum(number for (source, _, _), number in by.items() if source == here)
    leaks = by[here, there, "leak"]
    (first, second) = rows(text, "Who was served where")
    assert first[1:3] == [here, str(mine)]
    assert [percent(each) for each in first[3:6]] == pytest.approx(
        [
            100 * by[here, here, "local"] / mine,
            100 * by[here, there, "failover"] / mine,
            100 * leaks / mine,
        ],
        abs=0.01,
    )
    assert second[1:4] == [there, str(by[there, there, "local"]), "100.00 %"]
    ((_, source, destination, number, _),) = rows(text, "Leaks")
    assert (source, destination, number) == (here, there, str(leaks))
    moves = rows(text, "Failovers")
    assert [each[3:6] for each in moves] == [
        [here, there, "readiness"],
        [there, here, "readiness"],
    ] * 2
    served = [float(each[7].removesuffix(" s")) for each in moves]
    assert served == pytest.approx([m.served - m.changed for m in story.moves], abs=SLACK)
    assert [each[-1] for each in rows(text, "Outages")] == ["missed", "met"]
    assert page.count("<img ") == 3
    assert text.count(".svg>)") == 3
