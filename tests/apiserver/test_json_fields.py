"""Strings of objects are shared, within bounds."""

import sys

from exporter.apiserver import json_fields
from exporter.apiserver.json_fields import labels, text


def fresh(number):
    """Return a string that nobody else holds."""
    return "".join(["a name that comes and goes, ", str(number)])


def test_equal_strings_are_one():
    first, second = (text({"a": fresh(1)}, "a") for _ in range(2))
    assert first is second
    (pair,), (other,) = (labels({"a": {fresh(1): fresh(2)}}, "a") for _ in range(2))
    assert pair[0] is other[0] is first
    assert pair[1] is other[1]


def test_names_that_come_and_go_take_a_bounded_number_of_places(monkeypatch):
    monkeypatch.setattr(json_fields, "MAX_STRINGS", 10)
    for number in range(100):
        assert text({"a": fresh(number)}, "a") == fresh(number)
        assert len(json_fields._strings) <= 10
    # None of them is in the table of Python, which never shrinks.
    assert all(sys.intern(new) is new for new in map(fresh, range(100)))
