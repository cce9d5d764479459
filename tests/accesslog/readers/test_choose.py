"""Of a node's files those of the pods behind exported services; time is an argument."""

import gzip

import pytest

from exporter.accesslog.pod_logs import WantedLog
from exporter.accesslog.readers import compressed
from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.files import LINGER, PARKED, Follower
from exporter.model.clusterset import ServiceName
from tests.fakes.nodelogs import Node

WEB, OTHER = ("shop", "web-1", "app"), ("shop", "other-1", "app")


class Life:
    """An exporter that reads a node's files, and what it brought."""

    def __init__(self, node, places=None):
        self.chosen, self.now, self.errors = Chosen(), 100.0, []
        self.rotations = 0
        self.follower = Follower([node.glob], places, self.chosen)

    def want(self, *keys, waiting=()):
        """Say which containers are wanted, and which pods are behind a service but not known."""
        self.chosen.known = frozenset(key[:2] for key in keys)
        self.chosen.names = frozenset(key[:2] for key in (*keys, *waiting))
        self.chosen.logs = {
            key: WantedLog(namespace=key[0], pod=key[1], container=key[2], services=(SERVICE,))
            for key in keys
        }

    def look(self, after=2.1):
        self.now += after
        poll = self.follower.poll(self.now)
        self.rotations += poll.rotations
        self.errors += poll.errors
        lines = b"".join(block for _, block in poll.blocks).decode().splitlines()
        return [line.split(" ", 3)[3] for line in lines]


SERVICE = ServiceName("shop", "web")


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture
def life(node):
    made = Life(node)
    yield made
    made.follower.close()


def test_files_of_other_pods_are_not_opened(node, life):
    web, other = node.log("shop", "web-1"), node.log("shop", "other-1")
    sidecar = node.log("shop", "web-1", "mesh")
    (node.folder / "containers" / "dangling.log").symlink_to("nowhere")
    life.want(WEB)
    assert life.look() == []
    for log in (web, other, sidecar):
        log.write(log.name)
    assert life.look() == ["web-1_shop_app"]
    assert len(life.follower.paths) == 1
    assert life.errors == []
    assert life.chosen.present == {("shop", "web-1")}


def test_a_pod_that_comes_later_is_read_from_its_beginning(node, life):
    life.want(WEB)
    life.look()
    node.log("shop", "web-1").write("one", "two")
    assert life.look() == ["one", "two"]


def test_a_pod_that_is_known_only_later_loses_nothing(node, life):
    """It is behind a service already, and the API server has not told its containers yet."""
    web = node.log("shop", "web-1")
    web.write("old")
    life.want(waiting=[WEB])
    assert life.look() == []
    web.write("one")
    assert life.look() == []
    web.write("two")
    life.want(WEB)
    assert life.look() == ["one", "two"]


def test_one_that_is_known_only_after_a_rotation_loses_nothing_either(node, life):
    web = node.log("shop", "web-1")
    web.write("old")
    life.want(waiting=[WEB])
    life.look()
    web.write("one")
    web.rotate()
    web.write("two")
    assert life.look(LINGER) == []
    assert life.look(LINGER) == []
    life.want(WEB)
    assert life.look() == ["one", "two"]


def test_a_rotated_file_is_not_held_open_for_ever(node, life):
    web = node.log("shop", "web-1")
    life.want(waiting=[WEB])
    life.look()
    for _ in range(3):
        web.rotate()
        life.look()
    assert len(life.follower.places()) == 4
    life.look(PARKED)
    life.look(LINGER)
    assert len(life.follower.places()) == 1


def test_a_service_that_is_exported_later_is_not_read_from_long_before(node, life):
    life.look()
    web = node.log("shop", "web-1")
    web.write("before")
    assert life.look() == []
    web.write("between two looks")
    life.want(WEB)
    assert life.look() == ["between two looks"]


def test_a_pod_that_serves_before_we_are_told_of_it_loses_nothing(node, life):
    life.look()
    web = node.log("shop", "web-1")
    web.write("one")
    assert life.look() == []
    web.write("two")
    life.chosen.late = {WEB[:2]}
    life.want(WEB)
    assert life.look() == ["one", "two"]


def test_nor_does_one_that_was_there_at_the_first_look(node, life):
    web = node.log("shop", "web-1")
    web.write("before")
    life.look()
    web.write("one")
    assert life.look() == []
    life.chosen.late = {WEB[:2]}
    life.want(WEB)
    assert life.look() == ["one"]


def test_one_that_was_rotated_before_its_service_was_exported(node, life):
    web = node.log("shop", "web-1")
    web.write("before")
    life.look()
    web.rotate()
    web.write("new")
    life.want(WEB)
    assert life.look() == ["new"]


def test_each_line_once_over_rotation_and_restarts(node, life):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("one")
    assert life.look() == ["one"]
    web.write("two")
    web.rotate()
    web.write("three")
    assert sorted(life.look()) == ["three", "two"]
    web.start()
    web.write("four")
    assert life.look() == ["four"]
    assert life.rotations == 1


@pytest.mark.parametrize("from_end", [True, False])
def test_a_new_file_with_the_number_of_a_removed_one_is_read_from_its_beginning(
    node, life, from_end
):
    web = node.log("shop", "web-1")
    web.write("before")
    if from_end:
        life.want(WEB)
    life.look()
    web.write("one")
    life.want(WEB)
    assert life.look() == ["one"]
    first = web.rotate()
    assert life.look() == []
    assert life.look(LINGER + 1) == []
    assert len(life.follower.places()) == 1
    web.rotate(removed=first)
    web.write("two")
    assert life.look() == ["two"]


def test_the_last_lines_of_a_pod_that_goes_are_read(node, life):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("last")
    web.remove()
    life.want()
    assert life.look() == ["last"]
    life.look()
    life.look(LINGER)
    assert life.follower.paths == set()
    assert life.errors == []


@pytest.mark.parametrize("rotated", [True, False])
def test_a_pod_that_goes_just_after_a_rotation_is_told(node, life, rotated):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("read")
    web.rotate()
    web.write("read")
    assert life.look() == ["read", "read"]
    if rotated:
        web.rotate()
        web.write("lost")
    web.remove()
    life.look()
    life.look(LINGER + 1)
    assert ["soon after a rotation" in each for each in life.errors] == [True] * rotated


def test_a_service_that_is_not_exported_any_more_is_let_go_however_busy_it_is(node, life):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("one")
    life.want()
    assert life.look() == ["one"]
    for _ in range(4):
        web.write("more")
        life.look()
    assert life.follower.paths == set()
    web.write("not exported")
    assert life.look() == []
    web.write("exported")
    life.want(WEB)
    assert life.look() == ["exported"]


@pytest.mark.parametrize("known_at_once", [True, False])
def test_a_restart_goes_on_also_over_a_rotation(node, life, known_at_once):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("one")
    assert life.look() == ["one"]
    places = life.follower.places()
    web.write("two")
    web.rotate()
    web.write("three")
    node.log("shop", "other-1").write("came meanwhile")
    again = Life(node, places)
    if not known_at_once:
        again.want(waiting=[WEB])
        assert again.look() == []
        assert again.follower.places()[0] == places[0]
    again.want(WEB)
    assert again.look() == ["two", "three"]
    again.want(WEB, OTHER)
    assert again.look() == []
    assert again.errors == []
    again.follower.close()


def test_two_rotations_between_two_looks_lose_nothing(node, life):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write("one")
    assert life.look() == ["one"]
    web.write("two")
    first = web.rotate()
    web.write("three")
    web.rotate()
    web.write("four")
    assert life.look() == ["two", "three", "four"]
    assert life.errors == []
    web.write("five")
    web.compress(first)
    web.rotate()
    web.write("six")
    assert life.look() == ["five", "six"]
    assert life.errors == []


def test_more_than_two_are_told(node, life):
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    for each in ("lost", "three", "four"):
        old = web.rotate()
        if each != "four":
            web.compress(old)
        web.write(each)
    assert life.look() == ["three", "four"]
    assert ["rotated more than twice" in each for each in life.errors] == [True]


def stopped(node, life, text="one, which is longer than the others"):
    """Return a log that was read, and the places where reading stopped."""
    web = node.log("shop", "web-1")
    life.want(WEB)
    life.look()
    web.write(text)
    assert len(life.look()) == 1
    return web, life.follower.places()


def goes_on(node, places):
    """Return what another process reads from these places on, and what it tells."""
    again = Life(node, places)
    again.want(WEB)
    lines = again.look()
    assert again.look() == []
    again.follower.close()
    return lines, again.errors


@pytest.mark.parametrize("number_again", [True, False])
def test_a_restart_reads_what_was_compressed_meanwhile(node, life, number_again):
    web, places = stopped(node, life)
    web.write("two")
    removed = web.compress(web.rotate())
    web.write("three")
    web.compress(web.rotate())
    web.write("four")
    web.rotate(removed=removed if number_again else None)
    web.write("five")
    assert goes_on(node, places) == (["two", "three", "four", "five"], [])


def test_what_was_compressed_before_is_not_read_again(node, life):
    web, _ = stopped(node, life)
    web.compress(web.rotate())
    web.write("two, and some more")
    assert len(life.look()) == 1
    places = life.follower.places()[-1:]
    web.write("three")
    web.compress(web.rotate())
    web.write("four")
    assert goes_on(node, places) == (["three", "four"], [])


def test_a_file_that_is_just_being_compressed_is_read_once(node, life):
    web, places = stopped(node, life)
    web.write("two")
    old = web.rotate()
    old.with_name(f"{old.name}.gz").write_bytes(gzip.compress(old.read_bytes()))
    web.write("three")
    assert goes_on(node, places) == (["two", "three"], [])


def gone(packed):
    packed.unlink()


def broken(packed):
    packed.write_bytes(packed.read_bytes()[:-12])


def no_gzip(packed):
    packed.write_bytes(b"no gzip")


def twins(packed):
    packed.with_name(f"{packed.name[:-4]}9.gz").write_bytes(packed.read_bytes())


@pytest.mark.parametrize("trouble", [gone, broken, no_gzip, twins])
def test_a_restart_tells_what_cannot_be_read_again(node, life, trouble):
    web, places = stopped(node, life)
    web.write("lost")
    old = web.rotate()
    web.compress(old)
    web.write("two")
    trouble(old.with_name(f"{old.name}.gz"))
    lines, errors = goes_on(node, places)
    assert lines == ["two"]
    assert ["is gone; not counted" in each for each in errors] == [True]


def test_so_much_is_compressed_that_it_is_not_held_in_memory(node, life, monkeypatch):
    web, places = stopped(node, life)
    web.write("two")
    web.compress(web.rotate())
    web.write("three" * 500)
    web.compress(web.rotate())
    web.write("four")
    monkeypatch.setattr(compressed, "MAX_UNPACKED", 1000)
    lines, errors = goes_on(node, places)
    assert lines == ["two", "four"]
    assert len(errors) == 1
    assert "MiB are compressed; not counted" in errors[0]


def test_a_pod_that_came_while_nobody_read_is_read_from_its_beginning(node, life):
    life.want(WEB)
    life.look()
    node.log("shop", "web-1").write("one")
    again = Life(node, life.follower.places())
    again.want(WEB)
    assert again.look() == ["one"]
    again.follower.close()
