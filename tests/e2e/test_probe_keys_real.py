"""The key of all exporters is changed as docs/probe-key.md says, without one forgery."""

import asyncio
import base64
import itertools
import time
from contextlib import asynccontextmanager

import pytest

from exporter.probe.keys import parse_keys
from tests.e2e.day import LIMIT, access_line
from tests.fakes.signed import signed

pytestmark = pytest.mark.timeout(300)
CONFIG = """\
inventory: {kubernetes: {}}
probe: {services: [{match: "*/*", enabled: false}]}
logs: [{files: [access.log], format: main, service: nginx-test/nginx}]
probe_key_file: mounted/key
"""
SECRETS = "/api/v1/namespaces/mon/secrets"
OLD, NEW = "an old key", "a new key"
HITS = "clusterset_probe_hits_total"
FORGERIES = "clusterset_exporter_probe_forgeries_total"
REQUESTS = "clusterset_requests_total"
_serial = itertools.count(1)


class Mount:
    """A Secret in a pod: its files change some time after the Secret, as a kubelet does it."""

    def __init__(self, api, folder):
        self._api, self._folder, self._versions = api, folder, itertools.count(1)
        self.name = f"probe-key-{next(_serial)}"

    async def create(self, *keys):
        body = {"metadata": {"name": self.name}, "stringData": {"key": "\n".join(keys)}}
        await self._api.done("POST", SECRETS, body)

    async def patch(self, *keys):
        """Do what `kubectl patch secret NAME --patch '{"stringData": ...}'` does."""
        path = f"{SECRETS}/{self.name}"
        secret = await self._api.done("GET", path)
        await self._api.done("PUT", path, secret | {"stringData": {"key": "\n".join(keys)}})

    async def sync(self):
        """Write what the API server has; return the key that signs from now on."""
        secret = await self._api.done("GET", f"{SECRETS}/{self.name}")
        text = base64.b64decode(secret["data"]["key"])
        await asyncio.to_thread(self._write, text)
        return parse_keys(text.decode(), source="key")[0]

    def _write(self, text):
        version = self._folder / f"..{next(self._versions)}"
        version.mkdir(parents=True)
        (version / "key").write_bytes(text)
        link = self._folder / "..tmp"
        link.symlink_to(version.name)
        link.rename(self._folder / "..data")
        if not (self._folder / "key").is_symlink():
            (self._folder / "key").symlink_to("..data/key")


@asynccontextmanager
async def probed(log, key_of):
    """Let the exporter of cluster2 probe cluster1 all the time, with the key that it has then."""
    sent = []

    async def probe():
        while True:
            agent = signed(
                "cluster2",
                time.time_ns() // 1_000_000,
                str(len(sent)),
                key=key_of(),
                destination="cluster1",
            )
            line = access_line("cluster2").replace("curl/8.5.0", agent)
            await asyncio.to_thread(append, log, line)
            sent.append(line)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(probe())
    try:
        yield sent
    finally:
        task.cancel()


def append(log, line):
    with log.open("a") as file:
        file.write(f"{line}\n")


async def test_a_key_is_changed_without_a_forgery(day):
    """The kubelets of two clusters are slow in turns, and cluster2 probes cluster1 meanwhile."""
    ours = Mount(day.member.api, day.member.folder / "mounted")
    theirs = Mount(day.member.api, day.member.folder / "theirs")
    theirs.name = ours.name
    await ours.create(OLD)
    await ours.sync()
    signing = await theirs.sync()
    day.config = CONFIG
    async with day.exporter() as exporter, probed(day.log, lambda: signing) as sent:

        async def all_believed():
            """Wait until all that was sent up to now is counted."""
            number = len(sent)

            async def holds():
                return await exporter.value(HITS, verified="true") >= number

            await exporter.until(holds, within=LIMIT)

        async def changed(said):
            event = f'event="probe keys changed" {said}'
            return any(event in line for line in exporter.lines)

        await all_believed()
        for keys, ours_first, said in (
            ((OLD, NEW), True, 'signing="the same key" valid=2'),
            ((NEW, OLD), False, 'signing="another key" valid=2'),
            ((NEW,), True, 'signing="the same key" valid=1'),
        ):
            await ours.patch(*keys)
            if not ours_first:
                signing = await theirs.sync()
                await all_believed()
            await ours.sync()
            await exporter.until(lambda said=said: changed(said), within=LIMIT)
            await all_believed()
            signing = await theirs.sync()
            await all_believed()
        assert signing == NEW.encode()
        assert await exporter.value(FORGERIES) == 0
        assert await exporter.value(REQUESTS) == 0
        # The old key is worth nothing any more, so its probes are requests of a client.
        signing = OLD.encode()
        await exporter.until(lambda: more(exporter), within=LIMIT)
        assert OLD not in "\n".join(exporter.lines)


async def more(exporter):
    forged = await exporter.value(FORGERIES, reason="bad_signature")
    return forged > 0 and await exporter.value(REQUESTS) >= forged
