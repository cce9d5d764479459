"""A successor goes on where its predecessor stopped: each move is counted once, with its cause."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.handover import MAX_BYTES, VERSION, read
from exporter.model.verdicts import Locality, Mode, Reason
from tests.fakes.nouns import NGINX, inventory
from tests.judge.test_bad_days import Day

UNIX = 1_800_000_000.0
AWAY = 17.0
"""Seconds until another replica takes over after a kill."""
FAILED = {"ready": "b", "exported": "ab"}


def snapshot(day):
    return day.verdicts.snapshot(day.now, UNIX + day.now)


def restarted(day, words, *, away=1.0, text=None):
    """Return a successor in a process of its own, that knows nothing but the snapshot."""
    text = snapshot(day) if text is None else text
    made = Day.__new__(Day)
    fresh = Day(**words)
    made.__dict__ = fresh.__dict__
    verdicts = type(day.verdicts)(
        confirm=2,
        pinned=True,
        stale_after=1000.0,
        graces_of=day.verdicts._graces_of,
        policy_of=day.verdicts._tracks._policy_of,
    )
    made.verdicts, made.now = verdicts, day.now + away
    made.moves, made.modes, made.checks = [], [], []
    verdicts.restore(text, made.now, UNIX + made.now, UNIX + day.now)
    return made.becomes(**words)


class Standby(Day):
    """A replica that sees what changes and judges nothing."""

    def observe(self, at, **words):
        self.verdicts.observe(inventory(**words), at)

    def take_over(self, text, now, alive, **words):
        self.now = now
        self.verdicts.restore(text, now, UNIX + now, UNIX + alive)
        return self.becomes(**words)


def standby():
    made = Standby()
    made.verdicts = type(made.verdicts)(
        confirm=2,
        pinned=True,
        stale_after=1000.0,
        graces_of=made.verdicts._graces_of,
        policy_of=made.verdicts._tracks._policy_of,
    )
    made.observe(0.0)
    return made


def test_a_move_that_was_under_way_is_completed_by_the_successor_with_its_cause():
    day = Day().see("aa").becomes(**FAILED).see("AA")
    cause = 2.0
    after = restarted(day, FAILED, away=3.0).see("Abb")
    assert day.moves == []
    assert after.told == [("ab", Reason.READINESS)]
    (move,) = after.moves
    assert move.durations["served"] == pytest.approx(day.now + 3 + 1 - cause, abs=0.2)
    assert move.durations["outage"] == pytest.approx(day.now + 3 + 1 - 2.0, abs=0.2)


def test_a_move_that_was_counted_is_not_counted_again():
    day = Day().see("aa").becomes(**FAILED).see("AAbb")
    assert day.told == [("ab", Reason.READINESS)]
    after = restarted(day, FAILED).see("bbbb")
    assert (after.told, after.view.mode) == ([], Mode.FAILOVER)
    # The way back is a move of its own.
    assert after.becomes().see("aa").told == [("ba", Reason.READINESS)]


@pytest.mark.parametrize(
    ("words", "reason"),
    [(FAILED, Reason.READINESS), ({"exported": "b", "ready": "b"}, Reason.UNEXPORT)],
)
def test_a_failover_while_nobody_looked_is_counted_with_its_cause(words, reason):
    day = Day().see("aa")
    after = restarted(day, words, away=AWAY).see("bb")
    assert after.told == [("ab", reason)]
    (move,) = after.moves
    # The accuracy says how long nobody looked.
    assert move.accuracy["served"] >= AWAY


def test_a_standby_knows_when_it_changed_while_nobody_led():
    day, other = Day().see("aa"), standby()
    text = snapshot(day)
    assert other.verdicts.inventory is None
    assert list(other.verdicts.views(5.0)) == []
    other.observe(day.now + 5, **FAILED)
    other.take_over(text, day.now + AWAY, day.now, **FAILED).see("bb")
    assert other.told == [("ab", Reason.READINESS)]
    (move,) = other.moves
    assert move.durations["served"] == pytest.approx(AWAY - 5, abs=0.2)


def test_a_standby_completes_a_move_whose_cause_both_have_seen():
    day, other = Day().see("aa").becomes(**FAILED).see("AA"), standby()
    other.observe(2.0, **FAILED)
    other.take_over(snapshot(day), day.now + AWAY, day.now, **FAILED).see("bb")
    assert other.told == [("ab", Reason.READINESS)]
    assert other.moves[0].durations["served"] == pytest.approx(day.now - AWAY + 2 * AWAY - 2, abs=1)


def test_a_failback_in_the_hole_is_a_move_of_the_standby():
    day, other = Day().see("aa").becomes(**FAILED).see("AAbb"), standby()
    other.observe(2.0, **FAILED)
    text = snapshot(day)
    other.observe(day.now + 4)
    other.take_over(text, day.now + AWAY, day.now).see("aa")
    assert other.told == [("ba", Reason.READINESS)]


GONE = replace(inventory(), services={})


@pytest.mark.parametrize(
    ("words", "reason"),
    [(FAILED, Reason.READINESS), ({"exported": "b", "ready": "b"}, Reason.UNEXPORT)],
)
def test_a_service_that_was_gone_at_the_last_note_is_the_same_when_it_is_back(words, reason):
    day = Day().see("aa").becomes(GONE)
    day.now += 3
    after = restarted(day, words, away=AWAY).see("bb")
    assert after.told == [("ab", reason)]
    # Nobody saw it change after it went.
    assert after.moves[0].accuracy["served"] >= AWAY + 3


def test_an_export_that_was_not_there_when_the_service_went_is_the_cause_of_the_move_back():
    words = {"exported": "b", "ready": "b"}
    day = Day().see("aa").becomes(**words).see("bb").becomes(GONE)
    after = restarted(day, {}, away=AWAY).see("aa")
    assert after.told == [("ba", Reason.EXPORT)]


@pytest.mark.parametrize(("away", "moves"), [(500.0, 1), (601.0, 0)])
def test_a_service_that_was_gone_for_longer_than_the_grace_is_another_one(away, moves):
    day = Day().see("aa").becomes(GONE)
    after = restarted(day, FAILED, away=away).see("bb")
    assert len(after.told) == moves


def test_a_standby_for_which_the_service_is_gone_goes_on_with_it_when_it_is_back():
    day, other = Day().see("aa"), standby()
    text = snapshot(day)
    other.verdicts.observe(GONE, day.now + 1)
    other.now = day.now + AWAY
    other.verdicts.restore(text, other.now, UNIX + other.now, UNIX + day.now)
    other.becomes(GONE).becomes(**FAILED).see("bb")
    assert other.told == [("ab", Reason.READINESS)]


def test_no_mode_is_unknown_after_a_change_of_leader_and_what_is_under_way_is_named():
    day = Day().see("aaaa")
    after = restarted(day, {})
    assert (list(after.verdicts.unsettled()), after.view.mode) == ([], Mode.LOCAL)
    # What changed while nobody looked is looked at first.
    assert list(restarted(day, FAILED).verdicts.unsettled()) == [NGINX]
    day.becomes(**FAILED).see("AA")
    assert list(restarted(day, FAILED).verdicts.unsettled()) == [NGINX]
    assert list(restarted(day, {}, text="{}").verdicts.unsettled()) == [NGINX]


def test_after_a_long_time_a_move_is_counted_without_durations_and_no_mode_is_shown():
    day = Day().see("aa")
    after = restarted(day, FAILED, away=2000.0)
    assert after.view.mode is Mode.UNKNOWN
    assert after.see("bb").told == [("ab", Reason.READINESS)]
    assert after.moves[0].durations == {}


def test_what_a_cluster_exported_lately_is_still_a_failover():
    gone = {"exported": "a", "ready": "a"}
    day = Day(exported="ab", ready="ab").see("aa")
    day.becomes(**gone)
    after = restarted(day, gone)
    assert after.locality("b", after.now) is Locality.FAILOVER


def test_hits_of_the_hole_are_no_leaks():
    day = Day().see("a" * 100)
    after = restarted(day, {}, away=20.0)
    assert after.locality("b", day.now + 5) is Locality.UNKNOWN
    assert after.locality("b", after.now + 40) is Locality.LEAK


def test_a_standby_judges_hits_of_the_time_that_it_followed_itself():
    day, other = Day().see("a" * 60), standby()
    for each in (day.becomes, lambda **words: other.observe(day.now, **words)):
        each(ready="a", exported="ab")
    day.see("a" * 100)
    other.observe(day.now)
    day.becomes().see("aa")
    other.take_over(snapshot(day), day.now + AWAY, day.now)
    assert other.locality("b", 100.0) is Locality.FAILOVER


def test_the_accuracy_of_a_move_in_the_hole_covers_the_interval_before_it():
    """The predecessor worked until its last note, and its last probe was before that."""
    day = Day(every=300.0).see("aa")
    day.now += 200
    day.becomes(**FAILED)
    after = restarted(day, FAILED, away=10.0).see("bb")
    (move,) = after.moves
    # Clients may have moved as soon as the cause came, ten seconds before anybody looked.
    assert move.accuracy["served"] >= 10 + 300


def test_a_snapshot_does_not_change_while_nothing_does():
    day = Day().see("aaaa")
    before = snapshot(day)
    assert snapshot(day.see("aaaaaa")) == before
    day.becomes(**FAILED).see("AA")
    before = snapshot(day)
    assert snapshot(day.see("AAAAAA")) == before


def test_a_snapshot_is_bounded_and_keeps_what_changed_last():
    day = Day().see("aa")
    (track,) = day.verdicts._tracks.by_name.values()
    from exporter.judge import handover  # noqa: PLC0415 - as the test is about its bound

    text = handover.snapshot([track] * 5000, day.now, UNIX)
    assert MAX_BYTES * 0.9 < len(text.encode()) <= MAX_BYTES
    assert json.loads(text)["version"] == VERSION


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    assert read(text) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NUMBERS = st.floats(allow_nan=False) | st.integers(-(10**30), 10**30)


@given(JSON, NUMBERS, NUMBERS, st.sampled_from(list(range(12))), st.integers(0, 2**32))
def test_hostile_json_is_restored_without_an_error(value, one, two, number, seed):
    day = Day().see("aa").becomes(**FAILED).see("AA")
    found = json.loads(snapshot(day))
    (service,) = found["services"]
    chance = random.Random(seed)
    service[chance.choice([*sorted(service), "group", "since"])] = value
    service["joined"] = {"b": [one, "readiness", two]}
    service |= {"gap": one, "since": two, "failed": two} if number % 2 else {}
    after = restarted(day, FAILED, text=json.dumps(found))
    after.see("bbbbaab")
    after.becomes().see("aaaa")


def test_what_was_known_under_another_name_of_the_cluster_is_not_used():
    day = Day().see("aa")
    text = day.verdicts.snapshot(day.now, day.now)
    assert read(text, day.verdicts.inventory.local) == read(text) != {}
    assert read(text, "other") == {}
    assert read(text.replace(',"cluster":"a"', ""), "other") != {}
