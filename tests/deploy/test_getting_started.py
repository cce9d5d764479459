"""What "Get started" has a new user type, typed in an empty folder with the files that it shows."""

import asyncio
import re
import shlex
import sys

import pytest
import yaml

from tests.fakes.charts import ROOT
from tests.fakes.commands import commands
from tests.fakes.process import exporter

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "getting-started.md"
OWN = [each for each in commands(PAGE) if each.startswith("clusterset-exporter ")]
LINE = '%s - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl/7.80.0" "-"\n'
# Exit codes of what does not end well: there is no clusterset to ask.
CODES = {"check": 1}
SAID = {
    "--help": "Commands:",
    "config": "config.yaml: OK: cluster east (1 of 2), services: 1, log sources: 1",
    "check": "nginx-test/nginx is served to nobody in east.",
    "analyze": "nginx-test/nginx",
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the files of the page, and logs such as it speaks of."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    inventory, config, prometheus = blocks
    assert "scrape_configs" in prometheus
    (tmp_path / "inventory.yaml").write_text(inventory)
    # Nobody is asked that the machine happens to know.
    text = config + "probe: {resolvers: ['127.0.0.1:9'], timeout: 200ms}\n"
    (tmp_path / "config.yaml").write_text(text)
    for name in ("access.log", "access.log.1.gz", "east.log", "west.log"):
        (tmp_path / name).write_text(LINE % "10.1.0.7")
    return tmp_path


@pytest.mark.parametrize("command", [each for each in OWN if " run " not in each])
async def test_a_command_says_what_is_promised(command, folder):
    _, *words = shlex.split(command)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", *words),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    assert process.returncode == CODES.get(words[0], 0), errors.decode()
    assert SAID[words[0]] in out.decode()


async def test_it_runs_and_shows_its_page_and_series(folder):
    assert "clusterset-exporter run --config.file config.yaml" in OWN
    async with exporter(folder / "config.yaml") as running:
        assert (await running.get("/"))[0] == 200
        assert await running.value("clusterset_service_exported", destination_cluster="east") > 0


def test_the_exporter_is_scraped_where_it_listens():
    text = PAGE.read_text()
    (job,) = yaml.safe_load(text.split("# prometheus.yml")[1].split("```")[0])["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert f"http://{target}/metrics" in text
