"""Each key of Prometheus' web configuration: what is refused, and what requests get."""

import asyncio

import pytest

from exporter.config.yaml_reader import SettingsError
from exporter.web.app import Pages, serve
from exporter.web.auth import WebAuth
from exporter.web.entry import Entry
from exporter.web.web_settings import HttpServerSettings, RateLimit, TlsServerSettings, WebSettings
from tests.web.web_files import CASES, Folder, check


async def nothing(_):
    yield b"x 1\n"


async def well():
    return None


PAGES = Pages(metrics=nothing, status=dict, page=str, not_ready=lambda: None, reload=well)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("web"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_file_and_its_requests(folder, case):
    path = folder.write(case.text)
    if isinstance(case.outcomes, tuple):
        with pytest.raises(SettingsError) as caught:
            await asyncio.to_thread(WebAuth, path)
        assert case.outcomes[1] in str(caught.value)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
        return
    entry = Entry(auth=await asyncio.to_thread(WebAuth, path))
    listen = [("127.0.0.1", 0)]
    async with serve(PAGES, listen, telemetry_path="/metrics", entry=entry) as ((_, port),):
        outcomes = case.outcomes
        if isinstance(outcomes, dict) and outcomes.get("http") == 400:
            # Go answers plain HTTP with 400, this server ends the connection.
            outcomes = outcomes | {"http": None}
        await check(folder, port, outcomes, case.header)


def test_the_table_has_all_keys():
    every = "\n".join(case.text for case in CASES)
    for kind in (WebSettings, TlsServerSettings, HttpServerSettings, RateLimit):
        for key in kind.__struct_fields__:
            assert f"{key}: " in every, key
