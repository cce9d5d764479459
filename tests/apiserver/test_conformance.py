"""
What an API server does, and what we make of it: the same on the fake one and on a real one.

`tests/e2e` runs this whole module on a real kube-apiserver, which is what keeps the fake honest.
"""

import asyncio
import itertools
import os
from contextlib import aclosing
from zlib import crc32

import pytest

from exporter.apiserver.container import ContainerRef, restarts
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.lease import Election
from exporter.apiserver.log_place import BEGINNING, LogPlace, unix_of
from exporter.apiserver.pod_log import PodLog
from exporter.apiserver.reflector import Reflector, Resource, WatchState
from tests.fakes.apiaccess import ADMIN, EXPORTER, USERS
from tests.fakes.virtual import until

_serial = itertools.count(1)
LIMIT = 30.0


@pytest.fixture
async def maps(api):
    """A namespace of the test's own; the path of its ConfigMaps."""
    name = f"test-{os.getpid()}-{next(_serial)}"
    await api.done("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/api/v1/namespaces/{name}/configmaps"


def config_map(name, value="1", **labels):
    return {"metadata": {"name": name, "labels": labels}, "data": {"value": value}}


async def make(api, maps, *names, **labels):
    return [await api.done("POST", maps, config_map(name, **labels)) for name in names]


def version(found):
    return found["metadata"]["resourceVersion"]


def seen(events):
    """Return types and names of events, without bookmarks."""
    return [
        (event["type"], event["object"]["metadata"]["name"])
        for event in events
        if event["type"] != "BOOKMARK"
    ]


async def test_a_list_has_the_objects_and_a_version(api, maps):
    await make(api, maps, "b", "a")
    await make(api, maps, "c", colour="red")
    found = await api.done("GET", maps)
    assert found["kind"] == "ConfigMapList"
    assert [each["metadata"]["name"] for each in found["items"]][-3:] == ["a", "b", "c"]
    assert int(version(found)) >= int(version(found["items"][-1]))
    for wanted in ("colour=red", "colour", "colour in (red,blue)", "colour!=blue,colour"):
        found = await api.done("GET", maps, labelSelector=wanted)
        assert [each["metadata"]["name"] for each in found["items"]] == ["c"], wanted
    found = await api.done("GET", maps, fieldSelector="metadata.name=b")
    assert [each["metadata"]["name"] for each in found["items"]] == ["b"]


async def test_pages_are_of_one_moment(api, maps):
    await make(api, maps, "a", "b", "c")
    first = await api.done("GET", maps, limit="2", labelSelector="!x")
    await make(api, maps, "bb")
    rest = await api.done(
        "GET", maps, limit="2", labelSelector="!x", **{"continue": first["metadata"]["continue"]}
    )
    names = [each["metadata"]["name"] for each in first["items"] + rest["items"]]
    assert [name for name in names if name != "kube-root-ca.crt"] == ["a", "b", "c"]
    assert version(first) == version(rest)
    assert "continue" not in rest["metadata"]


async def test_a_page_says_how_many_are_left(api, maps):
    await make(api, maps, "a", "b", "c")
    assert (await api.done("GET", maps, limit="1"))["metadata"]["remainingItemCount"] == 2


async def test_a_page_that_was_compacted_away_is_gone(api, maps):
    await make(api, maps, "a", "b", "c")
    first = await api.done("GET", maps, limit="1")
    await make(api, maps, "d")
    await api.compact()
    status, body = await api.call(
        "GET", maps, limit="1", **{"continue": first["metadata"]["continue"]}
    )
    assert (status, body["reason"], body["kind"]) == (410, "Expired", "Status")
    assert body["metadata"]["continue"]


async def test_an_old_moment_that_was_compacted_away_is_gone(api, maps):
    (made,) = await make(api, maps, "a")
    await make(api, maps, "b")
    await api.compact()
    status, body = await api.call(
        "GET", maps, resourceVersion=version(made), resourceVersionMatch="Exact", limit="1"
    )
    assert (status, body["reason"]) == (410, "Expired")


async def test_a_watch_from_too_far_back_is_an_error_within(api):
    group = f"g{next(_serial)}.test.example"
    # A resource that was not always there: of others a server may still know all since 1.
    await api.install(group, "things", "Thing", "v1")
    path = f"/apis/{group}/v1/things"
    status, (event,) = await api.events(path, resourceVersion="1", timeoutSeconds="5")
    assert (status, event["type"]) == (200, "ERROR")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_watch_brings_what_happened_since(api, maps):
    begin = version(await api.done("GET", maps))
    (made,) = await make(api, maps, "a")
    changed = await api.done("PUT", f"{maps}/a", config_map("a", "2"))
    await api.done("DELETE", f"{maps}/a")
    # From the cache of watches, also after etcd has forgotten.
    await api.compact()
    _, events = await api.events(maps, resourceVersion=begin, timeoutSeconds="1")
    assert seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [version(event["object"]) for event in events]
    assert versions[:2] == [version(made), version(changed)]
    assert int(versions[2]) > int(versions[1])
    assert events[0]["object"]["kind"] == "ConfigMap"
    _, events = await api.events(maps, resourceVersion=versions[1], timeoutSeconds="1")
    assert seen(events) == [("DELETED", "a")]


async def test_a_watch_without_a_version_begins_with_what_is_there(api, maps):
    await make(api, maps, "a")
    _, events = await api.events(maps, timeoutSeconds="1", fieldSelector="metadata.name=a")
    assert seen(events) == [("ADDED", "a")]


async def test_what_a_selector_no_longer_takes_is_deleted_for_it(api, maps):
    begin = version(await api.done("GET", maps))
    await make(api, maps, "a", colour="red")
    await api.done("PUT", f"{maps}/a", config_map("a", colour="blue"))
    _, events = await api.events(
        maps, resourceVersion=begin, timeoutSeconds="1", labelSelector="colour=red"
    )
    assert seen(events) == [("ADDED", "a"), ("DELETED", "a")]


async def test_a_watch_from_the_future_is_silent(api, maps):
    begin = int(version(await api.done("GET", maps)))
    status, events = await api.events(maps, resourceVersion=str(begin + 10_000), timeoutSeconds="1")
    assert (status, events) == (200, [])


async def test_a_busy_watch_is_given_a_bookmark_before_its_end(api, maps):
    begin = version(await api.done("GET", maps))

    async def busy():
        for number in range(5):
            await make(api, maps, f"a{number}")
            await asyncio.sleep(0.2)

    _, (_, events) = await asyncio.gather(
        busy(),
        api.events(maps, resourceVersion=begin, timeoutSeconds="4", allowWatchBookmarks="true"),
    )
    mark = [event["object"] for event in events if event["type"] == "BOOKMARK"][-1]
    assert mark["kind"] == "ConfigMap"
    assert int(version(mark)) >= int(version(events[0]["object"]))
    # A watch goes on from a bookmark.
    _, events = await api.events(maps, resourceVersion=version(mark), timeoutSeconds="1")
    assert seen(events) == []


async def test_who_is_not_known_is_unauthorized(api, maps):
    status, body = await api.call("GET", maps, token="nobody")
    assert (status, body["reason"], body["kind"]) == (401, "Unauthorized", "Status")


async def test_who_may_not_is_told_what(api, maps):
    await api.grant()
    for params, verb in (({}, "list"), ({"watch": "true"}, "watch")):
        status, body = await api.call("GET", maps, token=EXPORTER, **params)
        assert (status, body["reason"]) == (403, "Forbidden")
        assert f'User "{USERS[EXPORTER]}" cannot {verb} resource "configmaps"' in body["message"]


async def test_conflicts(api, maps):
    (made,) = await make(api, maps, "a")
    status, body = await api.call("POST", maps, config_map("a"))
    assert (status, body["reason"]) == (409, "AlreadyExists")
    await api.done("PUT", f"{maps}/a", made | {"data": {"value": "2"}})
    status, body = await api.call("PUT", f"{maps}/a", made | {"data": {"value": "3"}})
    assert (status, body["reason"]) == (409, "Conflict")
    assert (await api.done("GET", f"{maps}/a"))["data"] == {"value": "2"}


async def test_what_is_not_there(api, maps):
    status, body = await api.call("GET", f"{maps}/nothing")
    assert (status, body["reason"]) == (404, "NotFound")
    assert await api.call("GET", "/apis/no.such.group/v1/things") == (404, "404 page not found\n")
    status, _ = await api.call("GET", "/apis/coordination.k8s.io/v0/leases")
    assert status == 404


async def test_rights_can_be_asked_for(api):
    await api.grant(("list", "configmaps"), ("get", "pods/log"))
    async with api.client(EXPORTER) as client:
        await until(lambda: client.may("list", "configmaps"), within=LIMIT)
        assert await client.may("get", "pods", sub="log")
        assert not await client.may("delete", "configmaps")
        assert not await client.may("get", "pods")


async def test_errors_of_the_client_say_what_happened(api, maps):
    async with api.client() as client:
        (made,) = await make(api, maps, "a")
        with pytest.raises(ApiError, match=r"GET .*/nothing: 404 NotFound: ") as caught:
            await client.read(f"{maps}/nothing")
        assert (caught.value.kind, caught.value.status) == (ErrorKind.NOT_FOUND, 404)
        await client.update(f"{maps}/a", made)
        await client.update(f"{maps}/a", made | {"data": {}, "metadata": {"name": "a"}})
        with pytest.raises(ApiError, match="409 Conflict") as caught:
            await client.update(f"{maps}/a", made)
        assert caught.value.kind is ErrorKind.CONFLICT
        with pytest.raises(ApiError, match="409 AlreadyExists"):
            await client.create(maps, config_map("a"))
    async with api.client("nobody") as client:
        with pytest.raises(ApiError, match="401 Unauthorized") as caught:
            await client.read(maps)
        assert caught.value.kind is ErrorKind.UNAUTHORIZED
        assert "refuses the credentials found there" in client.problem


def reflector(client, maps, **more):
    namespace = maps.split("/")[4]
    wanted = {"version": "v1", "plural": "configmaps", "namespace": namespace} | more
    return Reflector(
        client,
        Resource(**wanted),
        trim=lambda found: found.get("data", {}).get("value"),
        changed=lambda: None,
    )


async def test_a_reflector_follows(api, maps):
    await make(api, maps, *(f"n{number}" for number in range(3)), mine="yes")
    namespace = maps.split("/")[4]
    async with api.client() as client, asyncio.TaskGroup() as group:
        watched = reflector(client, maps, label_selector="mine")
        task = group.create_task(watched.run())
        await until(watched.settled.is_set, within=LIMIT)
        assert dict(watched.objects) == {f"{namespace}/n{number}": "1" for number in range(3)}
        await api.done("PUT", f"{maps}/n0", config_map("n0", "2", mine="yes"))
        await api.done("DELETE", f"{maps}/n1")
        await make(api, maps, "n4", mine="yes")
        wanted = {f"{namespace}/n0": "2", f"{namespace}/n2": "1", f"{namespace}/n4": "1"}
        await until(lambda: watched.objects == wanted, within=LIMIT)
        assert (watched.state, watched.problem) == (WatchState.SYNCED, "")
        assert watched.requests == 2
        task.cancel()


async def test_a_reflector_says_which_right_is_missing(api, maps):
    await api.grant()
    async with api.client(EXPORTER) as client, asyncio.TaskGroup() as group:
        watched = reflector(client, maps)
        task = group.create_task(watched.run())
        await until(watched.settled.is_set, within=LIMIT)
        assert watched.state is WatchState.FORBIDDEN
        assert 'cannot list resource "configmaps"' in watched.problem
        assert 'grant list and watch on configmaps of API group ""' in watched.problem
        task.cancel()


async def test_a_reflector_without_a_rule_knows_what_is_not_installed(api, maps):
    """Issue 14.21: a server refuses also what it does not have, and says what it has."""
    await api.grant()
    name = f"g{next(_serial)}.test.example"
    path = f"/apis/{name}/v1/namespaces/{maps.split('/')[4]}/things"
    assert (await api.call("GET", path, token=EXPORTER))[0] == 403
    async with api.client(EXPORTER) as client, asyncio.TaskGroup() as group:
        watched = reflector(client, maps, group=name, version="v1", plural="things")
        task = group.create_task(watched.run())
        await until(watched.settled.is_set, within=LIMIT)
        assert watched.state is WatchState.NOT_INSTALLED
        assert watched.problem == f"things.{name} is not installed in this cluster"
        task.cancel()


async def test_a_reflector_sees_a_definition_come_and_go(api, maps):
    group_name = f"g{next(_serial)}.test.example"
    await api.install(group_name, "things", "Thing", "v1alpha1")
    things = f"/apis/{group_name}/v1alpha1/namespaces/{maps.split('/')[4]}/things"
    about = {"apiVersion": f"{group_name}/v1alpha1", "kind": "Thing"}
    thing = about | {"metadata": {"name": "a"}, "data": {"value": "x"}}
    await api.done("POST", things, thing)
    async with api.client(ADMIN) as client, asyncio.TaskGroup() as group:
        watched = reflector(
            client, maps, group=group_name, version="v1", older=("v1alpha1",), plural="things"
        )
        task = group.create_task(watched.run())
        await until(watched.settled.is_set, within=LIMIT)
        assert (list(watched.objects.values()), watched.version) == (["x"], "v1alpha1")
        await api.uninstall(group_name, "things")
        await until(lambda: watched.state is WatchState.NOT_INSTALLED, within=LIMIT)
        assert (watched.objects, watched.requests) == ({}, watched.requests)
        assert watched.problem == f"things.{group_name} is not installed in this cluster"
        task.cancel()


def stamp(second, nanos=0):
    return f"2026-01-02T03:04:{second:02}.{nanos:09}Z"


async def test_a_log_is_bytes_with_time_stamps(api, maps):
    namespace = maps.split("/")[4]
    log = await api.pod(namespace, "web")
    log.write(b"one \xff\x00", stamp(1, 500))
    log.write(b'{"type":"ERROR","object":{}}', stamp(2))
    log.write(b"three", stamp(3))
    path = f"/api/v1/namespaces/{namespace}/pods/web/log"

    async def read(**params):
        async with api.opened("GET", path, container="app", **params) as reply:
            return reply.status, await reply.read()

    three = f"{stamp(3)} three\n".encode()
    whole = f"{stamp(1, 500)} one ".encode() + b"\xff\x00\n"
    whole += f'{stamp(2)} {{"type":"ERROR","object":{{}}}}\n'.encode() + three
    assert await read(timestamps="true") == (200, whole)
    assert (await read())[1].startswith(b"one \xff\x00\n")
    assert await read(timestamps="true", tailLines="1") == (200, three)
    # To the second: what is asked for is cut off on the way.
    _, since = await read(timestamps="true", sinceTime=stamp(1, 900))
    assert since == whole
    assert await read(timestamps="true", sinceTime=stamp(3)) == (200, three)
    assert await read(limitBytes="3") == (200, b"one")


async def test_the_log_of_a_containers_life_before(api, maps):
    namespace = maps.split("/")[4]
    log = await api.pod(namespace, "web")
    log.write(b"one", stamp(1))
    log.write(b"two", stamp(2))
    pod = f"/api/v1/namespaces/{namespace}/pods/web"
    status, body = await api.call("GET", f"{pod}/log", container="app", previous="true")
    assert (status, body["reason"]) == (400, "BadRequest")
    fresh = await api.restart(namespace, "web")
    fresh.write(b"three", stamp(3))
    assert restarts(await api.done("GET", pod), "app") == 1
    assert restarts(await api.done("GET", pod), "other") == 0
    asked = {"container": "app", "previous": "true", "sinceTime": stamp(2)}
    assert await api.call("GET", f"{pod}/log", **asked) == (200, "two\n")
    async with api.client() as client:
        container = ContainerRef(namespace=namespace, pod="web", container="app")
        followed = PodLog(client, container, place=LogPlace(stamp=stamp(1).encode()), restarts=1)
        async with aclosing(followed.blocks()) as blocks:
            found = b""
            while b"three" not in found:
                found += await anext(blocks)
        # At that place we had had no line of that very moment.
        assert found == b"one\ntwo\nthree\n"


async def test_a_log_that_was_rotated_while_nobody_followed(api, maps):
    namespace = maps.split("/")[4]
    log = await api.pod(namespace, "web")
    log.write(b"one", stamp(1))
    log.write(b"two", stamp(20))
    container = ContainerRef(namespace=namespace, pod="web", container="app")
    place, gaps = LogPlace(stamp=stamp(1).encode(), lines=(crc32(b"one"),)), []

    async def read(last):
        found = b""
        followed = PodLog(client, container, place=place, tell=gaps.append)
        async with aclosing(followed.blocks()) as blocks:
            while last not in found:
                found += await anext(blocks)
            log.write(b"more", stamp(50))
            assert await anext(blocks) == b"more\n"
        return found

    async with api.client() as client:
        assert await read(b"two") == b"two\n"
        assert gaps == []
        log.rotate()
        log.write(b"three", stamp(55))
        assert await read(b"three") == b"three\n"
    start = unix_of(stamp(0).encode())
    assert [(gap.start - start, gap.end - start) for gap in gaps] == [(1, 55)]


async def test_logs_that_cannot_be_had(api, maps):
    namespace = maps.split("/")[4]
    await api.pod(namespace, "web")
    path = f"/api/v1/namespaces/{namespace}/pods"
    status, body = await api.call("GET", f"{path}/web/log", container="other")
    assert (status, body["reason"]) == (400, "BadRequest")
    assert body["message"] == "container other is not valid for pod web"
    status, body = await api.call("GET", f"{path}/nothing/log", container="app")
    assert (status, body["reason"]) == (404, "NotFound")
    await api.grant()
    status, _ = await api.call("GET", f"{path}/web/log", token=EXPORTER, container="app")
    assert status == 403
    async with api.client() as client:
        other = PodLog(client, ContainerRef(namespace=namespace, pod="web", container="other"))
        with pytest.raises(ApiError, match="container other is not valid"):
            await anext(other.blocks())
        gone = PodLog(client, ContainerRef(namespace=namespace, pod="nothing", container="app"))
        assert [block async for block in gone.blocks()] == []


async def test_a_log_is_followed(api, maps):
    namespace = maps.split("/")[4]
    log = await api.pod(namespace, "web")
    log.write(b"old", stamp(1))
    async with api.client() as client:
        whose = ContainerRef(namespace=namespace, pod="web", container="app")
        followed = PodLog(client, whose, place=None)
        lines = b""
        async with asyncio.timeout(LIMIT), aclosing(followed.blocks()) as blocks:
            task = asyncio.ensure_future(anext(blocks))
            await until(lambda: followed.counts.requests == 1, within=LIMIT)
            for number in range(3):
                log.write(b"new %d" % number, stamp(1, number + 1))
            lines += await task
            while lines.count(b"\n") < 3:
                lines += await anext(blocks)
        assert lines == b"new 0\nnew 1\nnew 2\n"
        # Where it was left, another goes on.
        log.write(b"newer", stamp(1, 3))
        again = PodLog(client, whose, place=followed.place)
        async with asyncio.timeout(LIMIT), aclosing(again.blocks()) as blocks:
            assert await anext(blocks) == b"newer\n"
        assert (again.counts.repeated, BEGINNING.stamp) == (4, b"")


async def test_a_lease_is_taken_renewed_and_given_back(api, maps):
    about = {"namespace": maps.split("/")[4], "name": "exporter"}
    path = f"/apis/coordination.k8s.io/v1/namespaces/{about['namespace']}/leases/exporter"
    said = []

    async def lead(name, client, *, until_):
        election = Election(client, **about, identity=name)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(
                election.run(
                    lambda: said.append(f"{name} leads"), lambda: said.append(f"{name} ends")
                )
            )
            await until_(election)
            task.cancel()
        return election

    async def renewed(election):
        await until(lambda: election.leading, within=LIMIT)
        first = await api.done("GET", path)
        assert first["spec"]["holderIdentity"] == election.identity
        assert first["spec"]["leaseDurationSeconds"] == 15
        assert first["spec"]["leaseTransitions"] == 0

        async def is_renewed():
            return (await api.done("GET", path))["spec"]["renewTime"] != first["spec"]["renewTime"]

        await until(is_renewed, within=LIMIT)

    async def led(election):
        await until(lambda: election.leading, within=LIMIT)

    async with api.client() as client:
        await lead("a", client, until_=renewed)
        assert (await api.done("GET", path))["spec"]["holderIdentity"] == ""
        await lead("b", client, until_=led)
    spec = (await api.done("GET", path))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("", 1)
    assert said == ["a leads", "a ends", "b leads", "b ends"]
