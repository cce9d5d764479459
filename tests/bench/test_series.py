"""The bench of the series compares with what there really was."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    yield importlib.import_module("bench.series")
    sys.modules.pop("measure", None)


@pytest.mark.parametrize(("services", "samples"), [(1, 664), (3, 1_934)])
def test_the_series_of_before_are_as_many_as_they_were(bench, services, samples):
    store = bench.before(services)
    assert bench.size(store) == samples
    assert store.budget.used == samples


def test_a_row_stands_for_each_cluster(bench):
    assert [*bench.expanded(["c0", "OTHER", "-"])] == [("c0", f"c{n}", "") for n in range(1, 10)]
    assert len([*bench.expanded(["EACH", "EACH"])]) == 100
