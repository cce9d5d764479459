import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.mode import ModeJudge, Serving
from exporter.model.verdicts import Mode


def played(story, right="a", exported=True, confirm=2, *, calmly=False):
    """Judge one probe a second; each letter is the cluster that served, a dot nobody."""
    judge, skipped = ModeJudge(local="a", confirm=confirm), 0
    for at, letter in enumerate(story):
        cluster = None if letter == "." else letter
        if calmly and judge.absorb_unchanged(cluster):
            skipped += 1
        else:
            judge.probed(Serving(float(at), cluster), right=frozenset(right), exported=exported)
    return (judge.mode, judge.since, skipped) if calmly else (judge.mode, judge.since)


@pytest.mark.parametrize(
    ("story", "right", "exported", "mode"),
    [
        pytest.param("", "a", True, (Mode.UNKNOWN, None), id="no probe yet"),
        pytest.param("a", "a", True, (Mode.UNKNOWN, None), id="one probe proves nothing"),
        pytest.param("aa", "a", True, (Mode.LOCAL, 0.0), id="two do, from the first on"),
        pytest.param("aab", "b", True, (Mode.LOCAL, 0.0), id="one elsewhere proves nothing"),
        pytest.param("aabb", "b", True, (Mode.FAILOVER, 2.0), id="two elsewhere"),
        pytest.param("bb", "b", False, (Mode.REMOTE, 0.0), id="elsewhere by design"),
        pytest.param("aa.a", "a", True, (Mode.LOCAL, 0.0), id="one lost probe"),
        pytest.param("aa..", "a", True, (Mode.BLACKOUT, 2.0), id="two lost probes"),
        pytest.param("aa..bb", "b", True, (Mode.FAILOVER, 4.0), id="out of a blackout"),
        pytest.param("aabcbc", "bc", True, (Mode.FAILOVER, 2.0), id="spread over two remotes"),
        pytest.param("aabab", "a", True, (Mode.MIXED, 3.0), id="to and fro, one of them wrong"),
        pytest.param("aababaa", "a", True, (Mode.MIXED, 3.0), id="two that agree are chance"),
        pytest.param(
            "aabab" + 20 * "a", "a", True, (Mode.LOCAL, 5.0), id="and back to rest after twenty"
        ),
        pytest.param("abababab", "ab", True, (Mode.LOCAL, 0.0), id="to and fro, both right"),
    ],
)
def test_mode(story, right, exported, mode):
    assert played(story, right, exported) == mode


def test_confirmation_takes_as_many_probes_as_asked_for():
    assert played("aaabb", "b", confirm=3) == (Mode.LOCAL, 0.0)
    assert played("aaabbb", "b", confirm=3) == (Mode.FAILOVER, 3.0)


def test_remote_becomes_failover_when_the_local_export_appears():
    judge = ModeJudge(local="a", confirm=1)
    judge.probed(Serving(0.0, "b"), right=frozenset("b"), exported=False)
    judge.reclassify(exported=True, now=5.0)
    assert (judge.mode, judge.since) == (Mode.FAILOVER, 5.0)


@given(
    st.lists(st.sampled_from(["a", "b", "c", ".", "aaaaaaa", "ab"]), max_size=20),
    st.sampled_from(["", "a", "b", "ab", "bc"]),
    st.booleans(),
    st.integers(1, 4),
)
def test_a_probe_that_changes_nothing_may_be_left_out(parts, right, exported, confirm):
    story = "".join(parts)
    whole = played(story, right, exported, confirm)
    assert played(story, right, exported, confirm, calmly=True)[:2] == whole


def test_at_rest_most_probes_change_nothing():
    assert played(20 * "a", calmly=True)[2] > 10
