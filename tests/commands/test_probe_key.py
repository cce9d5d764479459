"""The Secret with the key of probes is made once, and never changed."""

import base64

import pytest

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.commands.probe_key import ensure_key
from exporter.config.yaml_reader import SettingsError
from exporter.probe.keys import parse_keys
from tests.apiserver.conftest import FakeAccess
from tests.fakes import apifaults, certs
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running


@pytest.fixture
async def api():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        server.store.install("", "secrets", "Secret", "v1")
        yield FakeAccess(server)


async def ensure(api, *namespaces):
    async with api.client() as client:
        return [line async for line in ensure_key(client, "keys", namespaces)]


def path(namespace):
    return f"/api/v1/namespaces/{namespace}/secrets"


async def key(api, namespace):
    found = await api.done("GET", f"{path(namespace)}/keys")
    return base64.b64decode(found["data"]["key"]).decode()


async def put(api, namespace, data):
    await api.done("POST", path(namespace), {"metadata": {"name": "keys"}, "data": data})


def coded(text):
    return base64.b64encode(text.encode()).decode()


async def test_both_namespaces_get_one_new_key(api):
    assert await ensure(api, "a", "b") == [
        "Secret a/keys: created",
        "Secret b/keys: created, with the same key",
    ]
    made = await key(api, "a")
    assert await key(api, "b") == made
    (only,) = parse_keys(made, source="test")
    assert len(only) == 64


async def test_each_new_key_is_another_one(api):
    await ensure(api, "a")
    await ensure(api, "b")
    assert await key(api, "a") != await key(api, "b")


async def test_what_exists_is_not_changed_and_is_copied(api):
    await put(api, "a", {"key": coded("new\nold\n")})
    assert await ensure(api, "a", "b") == [
        "Secret a/keys: exists, not changed",
        "Secret b/keys: created, with the same key",
    ]
    assert await key(api, "b") == await key(api, "a") == "new\nold\n"
    assert await ensure(api, "a", "b") == [
        "Secret a/keys: exists, not changed",
        "Secret b/keys: exists, not changed",
    ]


async def test_other_keys_in_a_copy_are_told_and_left(api):
    await put(api, "a", {"key": coded("new")})
    await put(api, "b", {"key": coded("old")})
    _, told = await ensure(api, "a", "b")
    assert told.startswith("Secret b/keys: exists with other keys than a/keys, not changed")
    assert await key(api, "b") == "old"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "Secret a/keys, file key: is empty"),
        ({"other": coded("x")}, "Secret a/keys, file key: is empty"),
        ({"key": coded("1\n2\n3\n4\n5")}, "Secret a/keys, file key: has 5 keys"),
        ({"key": "%"}, "is no text"),
    ],
)
async def test_a_secret_that_no_exporter_could_use_is_refused(api, data, told):
    await put(api, "a", data)
    with pytest.raises(SettingsError, match=told):
        await ensure(api, "a", "b")
    assert (await api.call("GET", f"{path('b')}/keys"))[0] == 404


async def test_a_missing_right_is_told(api):
    api.server.faults.append(Fault(apifaults.status(403), verb="create", plural="secrets"))
    with pytest.raises(ApiError) as caught:
        await ensure(api, "a")
    assert caught.value.kind is ErrorKind.FORBIDDEN
