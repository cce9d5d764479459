"""The documentation as a site: it builds without a warning, and needs nothing from elsewhere."""

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MKDOCS = ROOT / ".venv-site" / "bin" / "mkdocs"
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
pytestmark = pytest.mark.slow


def build(folder, **environment):
    """Build the site into *folder*; return what mkdocs says, and fail unless it is content."""
    if not MKDOCS.exists():
        message = "mkdocs is not installed; make docs gets it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


class Loads(HTMLParser):
    """What a browser fetches for a page by itself."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in LOADED and given.get("rel") != "canonical":
            self.found.append(given.get(LOADED[tag]) or "")


def test_the_site(tmp_path):
    """One build for all that is said of it, because a build takes seconds."""
    site = tmp_path / "site"
    assert "WARNING" not in build(site, PROJECT_URL="https://forge.test/us/exporter")
    pages_load_nothing_from_elsewhere(site)
    files_of_the_repository_are_linked_where_it_is(site)
    commands_and_bars_in_tables_look_as_they_are_typed(site)


def pages_load_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert loads.found
        assert [each for each in loads.found if re.match(r"(https?:)?//", each)] == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet


def files_of_the_repository_are_linked_where_it_is(site):
    text = (site / "central-view.html").read_text()
    address = "https://forge.test/us/exporter/blob/main/deploy/examples/central/prometheus-hub.yaml"
    assert f'href="{address}"' in text
    assert not any(path.suffix == ".py" for path in site.rglob("*"))


def commands_and_bars_in_tables_look_as_they_are_typed(site):
    assert '<span class="go">' not in (site / "tutorial.html").read_text()
    assert "<code>outbound|80||HOST</code>" in (site / "log-formats.html").read_text()
