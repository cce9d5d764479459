import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.causes import Cause
from exporter.judge.failover import UNEXPLAINED, FailoverJudge, ProbeObservation
from exporter.model.verdicts import FailoverStage, Reason
from tests.fakes.nouns import NGINX


class Play:
    """One probe a second, each a tenth of a second long, its answer half-way."""

    def __init__(self, right="a", *, calmly=False):
        self.judge = FailoverJudge(service=NGINX, confirm=2)
        self.calmly, self.skipped = calmly, 0
        self.right = frozenset(right)
        self.now = 0.0
        self.moves = []

    def becomes(self, right, reason=Reason.READINESS):
        self.right = frozenset(right)
        self.judge.changed(Cause(self.now, reason, self.right))
        return self

    def see(self, story):
        """
        Letters serve; capitals are answered and give no reply; a dot has no answer.

        A question mark is a packet that was lost.
        """
        for letter in story:
            cluster = letter.lower() if letter.isalpha() else None
            seen = ProbeObservation(
                at=self.now,
                answered_at=self.now + 0.05,
                ended=self.now + 0.1,
                unix=self.now + 0.1,
                answered=cluster,
                served=letter if letter.islower() else None,
                lost=letter == "?",
            )
            told = seen.at, seen.answered, seen.served, self.right
            if self.calmly and self.judge.absorb_unchanged(*told):
                self.skipped += 1
            else:
                self.judge.probed(seen, self.right)
            self.now += 1
            self.moves += self.judge.moves()
        return self

    def told(self):
        self.moves += self.judge.moves()
        return [
            (
                m.from_cluster + m.to_cluster,
                m.reason,
                *(round(m.durations[stage], 3) for stage in FailoverStage),
            )
            for m in self.moves
        ]


@pytest.mark.parametrize(
    ("play", "told", "outage"),
    [
        pytest.param(Play().see("aaa"), [], 0, id="rest"),
        pytest.param(Play().see("aab"), [], 0, id="one probe proves nothing"),
        pytest.param(
            Play().see("aa").becomes("b").see("bb"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="a cause and no failed probe",
        ),
        pytest.param(
            Play().see("aaAA").becomes("b").see("Abb"),
            [("ab", Reason.READINESS, 1.05, 1.1, 3.1)],
            3.1,
            id="failure first, then its cause",
        ),
        pytest.param(
            Play().see("aa").becomes("b", Reason.CONNECTION).see("aBBbb"),
            [("ab", Reason.CONNECTION, 1.05, 3.1, 2.1)],
            2.1,
            id="the new answer does not serve at once",
        ),
        pytest.param(
            Play().see("aa.." + "b" * UNEXPLAINED),
            [("ab", Reason.UNKNOWN, 2.05, 2.1, 2.1)],
            2.1,
            id="no cause seen: from the first failure",
        ),
        pytest.param(
            Play().see("aa" + "b" * UNEXPLAINED),
            [("ab", Reason.UNKNOWN, 0, 0.05, 0)],
            0,
            id="neither cause nor failure: from the new answer",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("bb").becomes("a").see("aa"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0), ("ba", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="and back",
        ),
        pytest.param(Play().see("aa.a"), [], 0, id="one lost probe is no outage"),
        pytest.param(Play().see("aa...aa"), [], 3.1, id="an outage without a move"),
        pytest.param(Play().see("aa..."), [], 2.1, id="an outage counts while it grows"),
        pytest.param(
            Play().see("aa").becomes("b").see("bb").becomes("").see("...").becomes("a").see("aa"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0), ("ba", Reason.READINESS, 0.05, 0.1, 3.1)],
            3.1,
            id="through a blackout",
        ),
        pytest.param(
            Play().see("aa").becomes("bc").see("bcbc").becomes("a").see("aa"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0), ("ca", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="two standbys take turns: one move, not many",
        ),
        pytest.param(
            Play("bc").see("bcbc").becomes("c").see("cccc"), [], 0, id="one of two goes: no move"
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("b").becomes("c").see("cc"),
            [("ac", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="to a second standby while the first move is under way",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("b").becomes("a").see("aaa"),
            [],
            0,
            id="back before it was confirmed",
        ),
        pytest.param(
            Play().see("aa").becomes("c").see("b" * UNEXPLAINED),
            [("ab", Reason.UNKNOWN, 0, 0.05, 0)],
            0,
            id="a change that does not explain the move is not its cause",
        ),
        pytest.param(
            Play().see("aabb").becomes("b").see("bb"),
            [("ab", Reason.READINESS, 0, 0.05, 0)],
            0,
            id="the cause comes after its effect",
        ),
        pytest.param(
            Play().see("aabb").becomes("b").see("bb").becomes("a").see("aa"),
            [("ab", Reason.READINESS, 0, 0.05, 0), ("ba", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="and the next move has a cause of its own",
        ),
        pytest.param(
            Play().see("aabbbbbbbb").becomes("b").see("bb"),
            [("ab", Reason.UNKNOWN, 0, 0.05, 0)],
            0,
            id="a cause that comes too late",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("aaa").becomes("a").see("aaa"),
            [],
            0,
            id="a cause without effect",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("bb").becomes("c").see("..").becomes("a").see(".aa"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0), ("ba", Reason.READINESS, 1.05, 1.1, 3.1)],
            3.1,
            id="failback while the next failover is under way",
        ),
        pytest.param(
            Play().see("aabbaba").becomes("b").see("baabaabbb"),
            [("ab", Reason.READINESS, 0.05, 6.1, 0)],
            0,
            id="replicas of the name server that follow one after the other",
        ),
        pytest.param(
            Play().see("aabbaaaaaaaaa"), [], 0, id="two answers elsewhere and no more: no move"
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("bb" + "a" * UNEXPLAINED),
            [("ab", Reason.READINESS, 0.05, 0.1, 0), ("ba", Reason.UNKNOWN, 0, 0.05, 0)],
            0,
            id="back for good and nobody knows why",
        ),
        pytest.param(
            Play("bc").see("bcbc").becomes("c").see("c" * 8).becomes("b").see("bb"),
            [("cb", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="one of two goes, and comes back when the other one goes",
        ),
        pytest.param(
            Play("b").see("bbcc").becomes("bc").see("bcbc"),
            [],
            0,
            id="another comes to take turns, before anybody says so: no move",
        ),
        pytest.param(
            Play().see("aaccbb").becomes("bc").see("cb"),
            [("ac", Reason.READINESS, 0, 0.05, 0)],
            0,
            id="two take over before anybody says so: one move",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("a" * 121 + "bb"),
            [("ab", Reason.READINESS, 121.05, 121.1, 0)],
            0,
            id="a cause holds however long its move takes",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("AAAA").becomes("bc").see("bb"),
            [("ab", Reason.READINESS, 4.05, 4.1, 4.1)],
            4.1,
            id="a third cluster that joins takes no cause away",
        ),
        pytest.param(
            Play().see("aa").becomes("bc").see("AAAA").becomes("b").see("bb"),
            [("ab", Reason.READINESS, 4.05, 4.1, 4.1)],
            4.1,
            id="a third cluster that fails takes no cause away",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("AAAA").becomes("bc", Reason.EXPORT).see("cc"),
            [("ac", Reason.EXPORT, 0.05, 0.1, 4.1)],
            4.1,
            id="the cluster that joined could not serve before",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("bab?b"),
            [("ab", Reason.READINESS, 0.05, 2.1, 0)],
            0,
            id="the first answer counts though an old one follows; a lost packet does not",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("b??b"),
            [("ab", Reason.READINESS, 0.05, 0.1, 0)],
            2.1,
            id="lost packets do not begin the count anew",
        ),
        pytest.param(
            Play().see("aa").becomes("b").see("bb").see("abbaab" * 40),
            [("ab", Reason.READINESS, 0.05, 0.1, 0)],
            0,
            id="a replica that is stuck on the old answer moves nobody",
        ),
    ],
)
def test_moves(play, told, outage):
    # FailoverStage's order is dns, served, outage.
    assert play.told() == told
    assert play.judge.outage == pytest.approx(outage)


@given(
    st.lists(st.one_of(st.sampled_from("abcABC."), st.sets(st.sampled_from("abc"))), max_size=60)
)
def test_any_order_of_events_is_taken_and_comes_to_rest(events):
    play = Play()
    for event in events:
        play.see(event) if isinstance(event, str) else play.becomes("".join(event))
    assert all(m.from_cluster != m.to_cluster for m in play.moves)
    assert all(seconds >= 0 for m in play.moves for seconds in m.durations.values())
    assert play.judge.outage <= play.now
    play.becomes("a").see("aa")
    moves = len(play.told())
    play.see("aaaa")
    assert (play.judge.serving, len(play.moves)) == ("a", moves)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([*"abcABC.", *(8 * letter for letter in "abcA.")]),
            st.sets(st.sampled_from("abc")),
            st.none(),
        ),
        max_size=30,
    )
)
def test_a_probe_that_changes_nothing_may_be_taken_in_as_such(events):
    plays = Play(), Play(calmly=True)
    for play in plays:
        for event in events:
            if event is None:
                play.judge.observation_gap()
            elif isinstance(event, str):
                play.see(event)
            else:
                play.becomes("".join(event))
    whole, calm = plays
    for play in plays:
        play.moves += play.judge.moves()
    assert calm.moves == whole.moves
    told = [
        (play.judge.outage, play.judge.serving, play.judge.group, play.judge.looked_at)
        for play in plays
    ]
    assert told[0] == told[1]


def test_at_rest_most_probes_change_nothing():
    assert Play(calmly=True).see(20 * "a").skipped > 10


def test_accuracy_is_the_time_between_two_probes():
    play = Play().see("aa").becomes("b").see("b")
    play.now += 4
    play.see("b").becomes("a").see(".")
    play.now += 2
    play.see("aa")
    play.told()
    # A second and the tenth that the probe took; then three seconds, because nobody looked for two.
    assert [round(m.accuracy[FailoverStage.SERVED], 3) for m in play.moves] == [1.1, 3.1]


def test_a_sleep_leaves_no_times():
    play = Play().see("aa.").becomes("b")
    play.now += 500
    play.judge.observation_gap()
    play.see("bb")
    play.moves += play.judge.moves()
    assert [(m.to_cluster, dict(m.durations)) for m in play.moves] == [("b", {})]
    assert play.judge.outage == 0
