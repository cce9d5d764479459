import pytest

from exporter.judge.skew import ENOUGH, WINDOW, ClockSkew


def seen(skew, number):
    clock = ClockSkew()
    for each in range(number):
        # The log has whole seconds only.
        true = 1000.0 + each * 15.31
        clock.saw("b", true + skew, float(int(true)))
    return clock


def test_too_few_probes_prove_nothing():
    clock = seen(7.0, ENOUGH - 1)
    assert (clock.seconds("b"), clock.margin("b"), clock.seconds("c")) == (None, 0.0, None)


@pytest.mark.parametrize("skew", [-40.0, -3.0, 0.0, 3.0, 40.0])
def test_the_skew_is_known_to_half_a_second(skew):
    clock = seen(skew, WINDOW)
    assert clock.seconds("b") == pytest.approx(skew, abs=0.5)
    assert clock.margin("b") == (pytest.approx(abs(skew), abs=0.5) if skew else 0.0)


def test_a_probe_that_waited_long_for_its_line_changes_nothing():
    clock = seen(0.0, WINDOW)
    clock.saw("b", 1000.0, 1100.0)
    assert clock.margin("b") == 0.0


def test_what_is_forgotten_says_nothing():
    clock = seen(9.0, WINDOW)
    clock.forget("b")
    assert clock.seconds("b") is None
