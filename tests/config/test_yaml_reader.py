"""Strict YAML: what is refused, what is text, and what reading costs."""

import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.files.small_file import read_struct

TEXT = st.text("abc09 .:-#~'\"[]{}<>=!*&\n")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e299, 1e299) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def read(path, text):
    path.write_text(text)
    return read_struct(path, dict[str, Any])


@given(written=st.dictionaries(TEXT, PLAIN, max_size=4), flow=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_comes_back(tmp_path, written, flow):
    text = yaml.safe_dump(written, default_flow_style=flow, allow_unicode=True)
    assert read(tmp_path / "x.yaml", text) == written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2022-07-07", "2022-07-07"),
        ("12:30", "12:30"),
        ("!!int 1:30", "1:30"),
        ('"8080"', "8080"),
        ("0x10", 16),
        ("~", None),
        ("yes", True),
    ],
)
def test_dates_and_sexagesimal_numbers_are_text(tmp_path, text, value):
    assert read(tmp_path / "x.yaml", f"a: {text}\n") == {"a": value}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x [1]\nb: [0, *x]\n", ": b[1]: an alias (*name); write the value out"),
        ("a: {b: 1}\n---\nc: 2\n", ":3: a second document; write one per file"),
        ("a:\n  b: 1\n  b: 2\n", ":3: a.b: is given twice; keep one"),
        ("a: 1\n? [b]\n: 2\n", ":2: a key that is not plain text; write `key: value`"),
        ("a: 1\n<<: {b: 2}\n", ":2: a key that is not plain text; write `key: value`"),
        ("a:\n- .inf\n", ":2: a[0]: is not a finite number"),
        (f"a: {'[' * 25}{']' * 25}\n", ":1: is nested too deeply"),
        ("a: [1\nb: 2\n", ":2: did not find expected ',' or ']'; check indentation and quotes"),
        ("--- 1\n", ":1: is not a mapping; write `key: value` lines"),
        ("\n", ": is empty; write at least one key"),
    ],
)
def test_what_is_refused(tmp_path, text, told):
    path = tmp_path / "x.yaml"
    with pytest.raises(SettingsError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}{told}"


def test_a_large_inventory_is_never_held_as_a_tree(tmp_path):
    """Of a process that reads it what it took at the most is never given back."""
    exports = "[{cluster: east, addresses: [127.0.0.1]}, {cluster: west, addresses: [127.0.0.2]}]"
    rows = (f"- {{namespace: shop, name: s{n}, exports: {exports}}}\n" for n in range(300))
    path = tmp_path / "inventory.yaml"
    path.write_text("clusters: [{id: east}, {id: west}]\nservices:\n" + "".join(rows))
    tracemalloc.start()
    try:
        read_inventory(path, "east")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A tree of its nodes takes 80 times as much as the file.
    assert most < 40 * path.stat().st_size
