"""Pages on log sources do as they say: their configuration counts the line that they show."""

import asyncio
import re
import shlex
import socket
import sys

import pytest
import yaml

from tests.fakes.charts import ROOT, objects
from tests.fakes.process import exporter
from tests.fakes.tools import need

pytestmark = pytest.mark.system
FOLDER = ROOT / "docs" / "how-to"
PLACES = {
    "log-files.md": ("/var/log/nginx/access.log", "access.log"),
    "node-files.md": ("/var/log/containers/nginx-", "nginx-7d4_nginx-test_nginx-0123.log"),
    "docker-json.md": ("/var/lib/docker/containers/", "4f5a/4f5a-json.log"),
}
"""What stands in the page for a folder, and a file that its glob has to find."""
ANALYZE = re.compile(r"(clusterset-exporter analyze .*)$", re.MULTILINE)
REQUESTS = "clusterset_requests_total"
SERVED = {"source_cluster": "east", "destination_cluster": "east", "locality": "local"}


def block(page, language, starts=""):
    """Return the first block of *page* in *language* that starts with *starts*."""
    text = (ROOT / "docs" / page).read_text()
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(each for each in found if each.startswith(starts))


def line(page):
    """Return the line of a log that *page* shows."""
    return block(f"how-to/{page}", "text")


def text_of(page):
    return (FOLDER / page).read_text()


def written(folder, config):
    """Write *config*, and the inventory of "Get started"; return the path of the configuration."""
    (folder / "inventory.yaml").write_text(block("getting-started.md", "yaml"))
    # Nobody is asked that the machine happens to know.
    quick = "probe: {resolvers: ['127.0.0.1:9'], timeout: 200ms}\n"
    (folder / "config.yaml").write_text(config + quick)
    return folder / "config.yaml"


@pytest.mark.parametrize("page", PLACES)
async def test_the_line_in_a_file_is_counted(page, tmp_path):
    shown, name = PLACES[page]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    folder = f"{shown.rpartition('/')[0]}/"
    config = block(f"how-to/{page}", "yaml", "# config.yaml").replace(folder, f"{tmp_path}/")
    async with exporter(written(tmp_path, config)) as running:
        path.write_text(line(page))
        await running.until_value(1, REQUESTS, **SERVED)


async def test_the_message_by_syslog_is_counted(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    config = block("how-to/syslog.md", "yaml", "# config.yaml")
    assert "udp://127.0.0.1:5140" in config
    config = config.replace("5140", str(address[1]))
    (sent,) = [each for each in text_of("syslog.md").splitlines() if each.startswith("logger ")]
    program, *words = shlex.split(sent.replace("5140", str(address[1])))
    async with exporter(written(tmp_path, config)) as running:
        process = await asyncio.create_subprocess_exec(need(program), *words)
        assert await process.wait() == 0
        await running.until_value(1, REQUESTS, **SERVED)


async def test_the_lines_of_standard_input_are_counted(tmp_path):
    config = block("how-to/standard-input.md", "yaml", "# config.yaml")
    pipe = asyncio.subprocess.PIPE
    async with exporter(written(tmp_path, config), stdin=pipe) as running:
        running.process.stdin.write(line("log-files.md").encode())
        await running.process.stdin.drain()
        await running.until_value(1, REQUESTS, **SERVED)


def analyses():
    for page in sorted(each.name for each in FOLDER.glob("*.md")):
        for command in ANALYZE.findall(text_of(page)):
            yield pytest.param(page, command, id=page)


@pytest.mark.parametrize(("page", "command"), list(analyses()))
async def test_its_analyze_counts_the_line(page, command, tmp_path):
    _, *words, name = shlex.split(command)
    shown = page if page in PLACES else "log-files.md"
    (tmp_path / "some.log").write_text(line(shown))
    written(tmp_path, "")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", *words, name if name == "-" else "some.log"),
        "--json",
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate(line(shown).encode() if name == "-" else None)
    assert process.returncode == 0
    (service,) = yaml.safe_load(out)["services"]
    (row,) = service["sources"]
    assert (row["source_cluster"], row["locality"], row["requests"]) == ("east", "local", 1)


@pytest.mark.parametrize("page", sorted(each.name for each in FOLDER.glob("*.md")))
def test_the_values_of_a_page_are_taken_by_the_chart(page):
    for text in re.findall(r"```yaml\n# values.yaml\n(.*?)```", text_of(page), re.DOTALL):
        assert objects(yaml.safe_load(text))


async def test_the_inventory_for_cilium_is_one(tmp_path):
    (tmp_path / "config.yaml").write_text("cluster: east\ninventory: {static: inventory.yaml}\n")
    inventory = block("how-to/cilium.md", "yaml", "# inventory.yaml")
    for profile in ("cilium", "gke"):
        text = inventory.replace("profile: cilium", f"profile: {profile}")
        (tmp_path / "inventory.yaml").write_text(text)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", "config", "check", "--config.file"),
            tmp_path / "config.yaml",
        )
        assert await process.wait() == 0
