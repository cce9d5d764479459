"""Ten clusters with long names and 200 services, as Chromium draws them 1400 pixels wide."""

import asyncio

import pytest

from dashboards.look import CLUSTERS
from tests.fakes.boards import BOARDS
from tests.fakes.crowd import END, EVERY, TEN_CLUSTERS, blocks_of, served
from tests.fakes.rendered import WIDTH, need_bundle, page_of

pytestmark = [pytest.mark.story, pytest.mark.timeout(240)]

MATRICES = {
    "clusterset-overview": {"Who serves whom", "Error ratio, by pair", "Tunnels"},
    "clusterset-service": {"Requests", "Ready, as each cluster sees it", "Probes seen in the logs"},
    "clusterset-exporter": set(),
}
# The title of each table, by how much it is larger than its panel, and the names of its columns.
TABLES = """[...document.querySelectorAll('[role=grid]')].map((grid) => {
  const panel = grid.closest('[data-viz-panel-key]');
  const heads = [...grid.querySelectorAll('[role=columnheader]')];
  return [
    panel.querySelector('[data-testid*="header-container"], h2').innerText,
    grid.scrollWidth - grid.clientWidth, grid.scrollHeight - grid.clientHeight,
    heads.map((head) => head.innerText.trim()),
  ];
})"""
# The colour and the name of each line in the legends, by panel.
LEGENDS = """[...document.querySelectorAll('[data-testid="series-icon"]')].map((icon) => {
  const panel = icon.closest('[data-viz-panel-key]');
  return [
    panel.querySelector('[data-testid*="header-container"], h2').innerText,
    getComputedStyle(icon).backgroundColor, icon.parentElement.innerText.trim(),
  ];
})"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowd")
    blocks_of(folder, TEN_CLUSTERS)
    with served(folder) as found:
        yield found


@pytest.fixture
def read(url, tmp_path):
    need_bundle()

    def reading(uid, expression):
        async def run():
            span = {"start": TEN_CLUSTERS.start, "end": END - EVERY, "scrape": EVERY}
            async with page_of(uid, url, tmp_path, **span) as tab:
                assert await tab.value("window.failures()") == []
                assert await tab.value("innerWidth") == WIDTH
                return await tab.value(expression)

        return asyncio.run(run())

    return reading


@pytest.mark.parametrize("uid", BOARDS)
def test_tables_fit_without_a_scrollbar(uid, read):
    tables = {title: sizes for title, *sizes in read(uid, TABLES)}
    assert tables.keys() >= MATRICES[uid]
    wide = {title: over for title, (over, _, _) in tables.items() if over > 0}
    assert wide == {}
    for title in MATRICES[uid]:
        _, below, columns = tables[title]
        # The board of one service has columns for those that export it, and its rows scroll.
        assert below <= 0 or uid == "clusterset-service", title
        clusters = [name for name in columns if name.startswith("member-")]
        wanted = TEN_CLUSTERS.clusters if uid == "clusterset-overview" else clusters
        assert clusters == wanted != [], title


def rgb(colour):
    return "rgb({}, {}, {})".format(*(int(colour[at : at + 2], 16) for at in (1, 3, 5)))


@pytest.mark.parametrize("uid", BOARDS)
def test_a_cluster_has_the_same_colour_on_all_graphs(uid, read):
    colours = dict(zip(TEN_CLUSTERS.clusters, map(rgb, CLUSTERS), strict=True))
    if uid == "clusterset-exporter":
        colours = {f"{name}:9877": colour for name, colour in colours.items()}
    seen = set()
    for title, colour, name in read(uid, LEGENDS):
        assert "#" not in name, "the mark is still in the name"
        # Of a pair, the one that serves comes last.
        found = [each for each in colours if each in name]
        of = max(found, key=name.rindex, default=None)
        if of is not None:
            assert colour == colours[of], (title, name)
            seen.add(of)
    assert len(seen) > 2
