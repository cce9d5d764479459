"""Who gets a place, and who leaves for it."""

import pytest

from exporter.web.limits import Limits, Place, Places, WaitsFor

FEW = Limits(
    silent_connections=9,
    silent_connections_by_address=9,
    connections=4,
    connections_by_address=4,
    health_connections=2,
    health_connections_by_address=2,
)


class Guest:
    """A connection of which a test says what it waits for; None: it is being answered."""

    def __init__(self, address, waits=None):
        self.address, self.state, self.left = address, waits, False

    def waits(self):
        return self.state

    def leave(self):
        self.left = True


@pytest.fixture
def places():
    return Places(FEW)


def come(places, *guests):
    """Let guests come that have sent a byte; return their places."""
    found = []
    for guest in guests:
        assert places.enter(guest)
        found.append(places.take(guest))
    return found


@pytest.mark.parametrize("waits", [WaitsFor.NO_REQUEST, WaitsFor.NEXT_REQUEST, WaitsFor.READER])
def test_who_only_waits_leaves_before_anybody_gets_a_lesser_place(places, waits):
    held = [Guest("a"), Guest("b"), Guest("c", waits), Guest("d", WaitsFor.FIRST_REQUEST)]
    assert come(places, *held, Guest("e")) == [Place.ANY] * 5
    assert [guest.left for guest in held] == [False, False, True, False]


def test_a_first_request_on_its_way_leaves_only_after_the_places_for_health_are_taken(places):
    held = [Guest(name, WaitsFor.FIRST_REQUEST) for name in "abcd"]
    more = [Guest("e"), Guest("f"), Guest("g")]
    assert come(places, *held, *more) == [*[Place.ANY] * 4, *[Place.HEALTH] * 2, Place.ANY]
    assert [guest.left for guest in held] == [True, False, False, False]


def test_of_those_the_oldest_leaves_of_the_address_with_most_of_them(places):
    health, neighbours = Guest("a", WaitsFor.FIRST_REQUEST), [Guest("a"), Guest("a")]
    crowd = [Guest("b", WaitsFor.FIRST_REQUEST), Guest("c", WaitsFor.FIRST_REQUEST)]
    come(places, crowd[0], *neighbours, health, Guest("x"), Guest("y"), Guest("z"))
    # Address "a" has the most connections, but the others of it are being answered.
    assert crowd[0].left
    assert not health.left
    come(places, crowd[1])
    assert not crowd[1].left
    assert health.left


def test_what_a_busy_event_loop_has_not_read_leaves_last_but_keeps_nobody_out(places):
    held = [Guest("a", WaitsFor.LOOP), *(Guest(name) for name in "bcd")]
    come(places, *held, Guest("e", WaitsFor.FIRST_REQUEST), Guest("f"))
    # The place for health has one whose request is on its way, and the others an unread one.
    assert places.take(Guest("g")) is not None
    assert places.take(Guest("h")) is not None
    assert held[0].left
    assert places.take(Guest("i")) is None


def test_one_with_a_place_for_health_that_has_asked_for_more_takes_the_place_of_one_that_has_not(
    places,
):
    held = [Guest("a", WaitsFor.FIRST_REQUEST), *(Guest(name) for name in "bcd")]
    scraper = Guest("e")
    assert come(places, *held, scraper)[-1] is Place.HEALTH
    assert places.promote(scraper)
    assert held[0].left
    late = Guest("f")
    assert come(places, late) == [Place.HEALTH]
    assert not places.promote(late)
    # The scraper's own place is free for another health check.
    assert come(places, Guest("g")) == [Place.HEALTH]
