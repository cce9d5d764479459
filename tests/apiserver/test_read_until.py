"""Until when a leader read logs of pods, by what stands on its Lease."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from exporter.apiserver.lease_note import ANNOTATION
from exporter.apiserver.lease_spec import RENEW_DEADLINE, micro_time
from exporter.apiserver.left_word import ReadUntil
from exporter.apiserver.read_until import AHEAD, LEASE_LASTS, MAX_UNSURE, PATIENCE, RECENT
from exporter.apiserver.read_until import LeaseReader as Reader
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.apifaults import Fault

LEASES = ("coordination.k8s.io", "leases")
UNIX = 1_800_000_000.0


class Scene:
    """A Lease, and who waits for its holder."""

    def __init__(self, api):
        self.api, self.waits, self.events = api, [], []
        self.began = asyncio.get_running_loop().time()

    def unix(self):
        return UNIX + asyncio.get_running_loop().time() - self.began

    def write(self, word, holder="one", renewed=None):
        """Write the Lease as its holder does; *word* as text, or as what a leader leaves."""
        note = word if isinstance(word, str) else json.dumps(word)
        renewed = self.unix() if renewed is None else renewed
        body = {
            "metadata": {"name": "lease", "annotations": {ANNOTATION: note}},
            "spec": {"holderIdentity": holder, "renewTime": micro_time(renewed)},
        }
        store = self.api.server.store
        if ("mon", "lease") in store.objects[LEASES]:
            store.update(*LEASES, "mon", "lease", body)
        else:
            store.create(*LEASES, "mon", body)

    async def read(self, token=None):
        async with self.api.client(*([token] if token else [])) as client:
            reader = Reader(client, "mon/lease", waits=self.waits.append, unix=self.unix)
            with capture_logs() as logs:
                try:
                    return await reader.read_until()
                finally:
                    self.events = [each["event"] for each in logs]


@pytest.fixture
async def scene(api):
    return Scene(api)


async def test_without_a_lease_nobody_read(scene):
    assert await scene.read() is None
    assert scene.events == ["there is no Lease, so nobody reads logs of pods"]


async def test_without_a_right_it_is_not_known_and_told(scene):
    scene.write({"service_pods": True})
    assert await scene.read(EXPORTER) is None
    assert scene.events == ["Lease cannot be read, so lines may be counted twice"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pod_logs":true}'])
async def test_an_older_version_says_nothing_of_it(scene, note):
    scene.write(note)
    assert await scene.read() is None
    assert scene.events == ["Lease was found, and does not say who reads logs of pods"]


async def test_a_leader_that_has_just_begun_is_given_time_to_say_it(scene):
    scene.write("")
    until = {"at": UNIX - 1, "sure": UNIX - 1}
    word = {"service_pods": False, "service_pods_until": until}
    asyncio.get_running_loop().call_later(2, scene.write, word)
    assert await scene.read() == ReadUntil(UNIX - 1, UNIX - 1)


@pytest.mark.parametrize(
    ("at", "sure", "found"),
    [
        pytest.param(-5.0, -5.0, (-5.0, -5.0), id="it ended in order"),
        pytest.param(-5.0, -20.0, (-5.0, -20.0), id="it died"),
        pytest.param(-5.0, -1e300, (-5.0, -5.0 - MAX_UNSURE), id="since a time that cannot be"),
        pytest.param(-5.0, 1e300, (-5.0, -5.0), id="later than it ended"),
        pytest.param(-RECENT - 1, -RECENT - 1, None, id="long ago"),
        pytest.param(AHEAD + 1, AHEAD + 1, None, id="in the future"),
    ],
)
async def test_a_leader_that_reads_none_says_until_when_one_before_it_did(scene, at, sure, found):
    until = {"at": UNIX + at, "sure": sure if abs(sure) > 1e9 else UNIX + sure}
    scene.write({"service_pods": False, "service_pods_until": until})
    expected = None if found is None else ReadUntil(*(UNIX + each for each in found))
    assert await scene.read() == expected
    assert scene.waits == []


async def test_if_none_before_it_did_nobody_read(scene):
    scene.write({"service_pods": False, "service_pods_until": None})
    assert await scene.read() is None


async def test_a_leader_that_reads_is_waited_for_as_long_as_it_leads(scene):
    scene.write({"service_pods": True})

    async def renew():
        for _ in range(100):
            await asyncio.sleep(2)
            scene.write({"service_pods": True})
        scene.write({"service_pods": True}, holder="", renewed=scene.unix() - 0.5)
        # Another replica of the old configuration follows.
        await asyncio.sleep(LEASE_LASTS - 1)
        for _ in range(10):
            scene.write({"service_pods": True})
            await asyncio.sleep(2)
        scene.write({"service_pods": True}, holder="", renewed=scene.unix() - 0.5)

    async with asyncio.TaskGroup() as group:
        group.create_task(renew())
        found = await scene.read()
    ended = 200 + LEASE_LASTS - 1 + 20
    assert ended - 1 <= found.at - UNIX <= ended
    assert found.sure == found.at
    assert ended + LEASE_LASTS <= scene.unix() - UNIX <= ended + LEASE_LASTS + 1
    assert set(scene.waits) == {"waits for one, which reads the same lines from the API server"}


async def test_the_first_renewal_of_its_successor_still_has_its_note(scene):
    scene.write({"service_pods": True})

    async def succeed():
        await asyncio.sleep(2)
        scene.write({"service_pods": True}, holder="two")
        await asyncio.sleep(2)
        until = {"at": UNIX + 2, "sure": UNIX + 2}
        scene.write({"service_pods": False, "service_pods_until": until}, holder="two")

    async with asyncio.TaskGroup() as group:
        group.create_task(succeed())
        assert await scene.read() == ReadUntil(UNIX + 2, UNIX + 2)


@pytest.mark.parametrize("scraped", [True, False])
async def test_one_that_died_may_have_read_until_its_deadline(scene, scraped):
    exposed = {"exposed": UNIX - 20} if scraped else {}
    scene.write({"service_pods": True} | exposed)
    found = await scene.read()
    assert LEASE_LASTS <= scene.unix() - UNIX <= LEASE_LASTS + 1
    assert found == ReadUntil(UNIX + RENEW_DEADLINE, UNIX - 20 if scraped else UNIX)


@pytest.mark.parametrize("code", [404, 503])
async def test_once_a_leader_was_seen_to_read_only_the_lease_tells_its_end(scene, code):
    scene.write({"service_pods": True})
    faults_ = scene.api.server.faults

    async def goes():
        await asyncio.sleep(5)
        reason = {404: "NotFound"}.get(code, "")
        what = faults.status(code, reason=reason)
        faults_.append(Fault(what, verb="get", plural="leases"))
        await asyncio.sleep(PATIENCE + 60)
        until = {"at": UNIX + 7, "sure": UNIX + 7}
        scene.write({"service_pods": False, "service_pods_until": until}, holder="two")
        faults_.clear()

    async with asyncio.TaskGroup() as group:
        group.create_task(goes())
        assert await scene.read() == ReadUntil(UNIX + 7, UNIX + 7)
    assert any(each.startswith("waits for one, and cannot ask: GET ") for each in scene.waits)


@pytest.mark.parametrize("away", [PATIENCE - 5, PATIENCE + 5])
async def test_an_api_server_that_is_away_is_waited_for_a_while(scene, away):
    until = {"at": UNIX - 1, "sure": UNIX - 1}
    scene.write({"service_pods": False, "service_pods_until": until})
    scene.api.server.faults = [Fault(faults.status(503), verb="get", plural="leases")]
    asyncio.get_running_loop().call_later(away, scene.api.server.faults.clear)
    found = await scene.read()
    if away < PATIENCE:
        assert found == ReadUntil(UNIX - 1, UNIX - 1)
    else:
        assert found is None
        assert scene.events[-1] == "Lease cannot be read, so lines may be counted twice"
