"""A real server of Prometheus does the same with the same web configuration files."""

import asyncio
import re
import shutil
from contextlib import asynccontextmanager

import pytest

from tests.web.web_files import CASES, Folder, check

PROGRAM = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
LISTENS = re.compile(r"Listening on.*address=\S*:(\d+)")
KNOWN = [case for case in CASES if case.go is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("web"))


@asynccontextmanager
async def node_exporter(path):
    """Run node_exporter; yield its port, or None if it refuses the file."""
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--web.listen-address=127.0.0.1:0", "--collector.disable-defaults"),
        *("--collector.time", f"--web.config.file={path}"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            port = None
            while line := (await process.stderr.readline()).decode():
                if listens := LISTENS.search(line):
                    port = int(listens[1])
                if "TLS is " in line:
                    break
            else:
                port = None
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.system
@pytest.mark.skipif(PROGRAM is None, reason="prometheus-node-exporter is not installed")
@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
async def test_a_file_and_its_requests(folder, case):
    wanted = case.outcomes if case.go == "same" else case.go
    async with node_exporter(folder.write(case.text)) as port:
        if isinstance(wanted, tuple):
            assert port is None
        else:
            await check(folder, port, wanted, case.header)
