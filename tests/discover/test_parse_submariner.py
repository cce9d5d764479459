import pytest

from exporter.discover.parse_submariner import parse_duration
from exporter.judge.versions import find_version


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("v0.19.0", (0, 19, 0)),
        ("0.12.2", (0, 12, 2)),
        ("v0.20.0-rc1", (0, 20, 0)),
        ("release-0.13-a1b2c3", (0, 13, 0)),
        ("v0.14.0-m3-12-gabc1234", (0, 14, 0)),
        ("devel", None),
        ("devel-a1.2b", None),
        ("", None),
    ],
)
def test_versions(words, version):
    assert find_version(words) == version


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("0s", 0.0),
        ("1ms", 0.001),
        ("447.358µs", 447.358e-6),
        ("250us", 250e-6),
        ("12ns", 12e-9),
        ("1h1m1.5s", 3661.5),
        ("", None),
        ("5", None),
        ("-1s", None),
        ("1s later", None),
    ],
)
def test_durations(words, seconds):
    assert parse_duration(words) == (None if seconds is None else pytest.approx(seconds))
