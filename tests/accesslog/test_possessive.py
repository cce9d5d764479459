"""Possessive groups, written for a Python that gets them wrong."""

import sys

import pytest

from exporter.accesslog import possessive
from exporter.accesslog.possessive import compiled, with_atomic_groups


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (rb"(?:a+b)?+\d", rb"(?>(?:a+b)?)\d"),
        (rb"((?:, x)*+y)++", rb"(?>((?>(?:, x)*)y)+)"),
        (rb"(?:\{[^}\n]*+\} ){0,2}+", rb"(?>(?:\{[^}\n]*+\} ){0,2})"),
        (rb"[(]?+\(?+[^)]*+", rb"[(]?+\(?+[^)]*+"),
        (rb"(a)?(b)*(c)+?[]()]+", rb"(a)?(b)*(c)+?[]()]+"),
        (rb"(?>a|b)(?=c)", rb"(?>a|b)(?=c)"),
    ],
)
def test_a_possessive_group_becomes_an_atomic_one(pattern, written):
    assert with_atomic_groups(pattern) == written


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 1)])
@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        (rb'(?:[^\["\n]{1,9}+\[\d{1,9}+\]: )?+(\d+)', b"12.5 [29/Nov", b"12"),
        (rb'([^"\\\n]*+(?:\\"[^"\\\n]*+)*+)\\n', rb"a\"b\n", rb"a\"b"),
        (rb'(?:[^"\n]*[, ])?+([^", \n]*+)', b"10.0.0.1", b"10.0.0.1"),
    ],
)
def test_a_group_that_fails_in_its_middle_takes_nothing(
    monkeypatch, version, pattern, text, matched
):
    if version >= possessive.FIXED_IN > sys.version_info:
        pytest.skip("this Python gets possessive groups wrong")
    monkeypatch.setattr(possessive.sys, "version_info", version)
    assert compiled(pattern).match(text)[1] == matched
