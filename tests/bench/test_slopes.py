"""The soak tells a leak from noise."""

import random

import pytest

from bench.slopes import slope, student

HALF_HOUR = range(0, 1800, 3)


def samples(grows, noise=2.0, seed=1):
    """Return memory in MB that *grows* so many MB an hour, with noise that lasts for a while."""
    rng, held = random.Random(seed), 0.0
    for at in HALF_HOUR:
        held = 0.7 * held + rng.gauss(0, noise)
        yield at, 80 + grows * at / 3600 + held


def test_a_leak_is_told_from_noise():
    found = slope(list(samples(30)))
    assert found.grows
    assert abs(found.per_hour - 30) < found.margin < 20


def test_noise_is_no_leak():
    told = [slope(list(samples(0, seed=seed))).grows for seed in range(100)]
    # The interval is one of 99 %, so one in two hundred is above zero by chance.
    assert sum(told) <= 4


def test_a_fall_is_no_leak():
    assert not slope(list(samples(-30))).grows


def test_a_line_without_noise():
    found = slope([(at, 5 + at) for at in HALF_HOUR])
    assert (found.per_hour, found.margin) == (pytest.approx(3600), pytest.approx(0, abs=1e-6))
    assert not slope([(at, 7) for at in HALF_HOUR]).grows


def test_too_few_samples_make_no_slope():
    with pytest.raises(ValueError, match="too few"):
        slope([(at, 1) for at in range(0, 150, 3)])


@pytest.mark.parametrize(("freedom", "quantile"), [(5, 4.032), (10, 3.169), (30, 2.750)])
def test_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student(0.99, freedom) == pytest.approx(quantile, rel=0.01)
