"""Strict YAML: what is refused, what is text, and what reading costs."""

import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config.settings import Settings, parse_settings
from exporter.config.yaml_reader import SettingsError, parse_struct
from exporter.discover.inventory_file import InventoryFile
from exporter.discover.static import read_inventory
from exporter.files.small_file import read_struct
from exporter.web.web_settings import WebSettings

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
        (f"a: {'9' * 5000}\n", ":1: a: is a number of more than 40 characters"),
        (f"a:\n  b: 0x{'f' * 5000}\n", ":2: a.b: is a number of more than 40 characters"),
        ("a: !!int x\n", ":1: a: 'x' is not of the type int"),
        ("a: !!bool '[1]'\n", ":1: a: '[1]' is not of the type bool"),
        (f"a: !!int '{'[' * 9}'\n", ":1: a: '[[[[[[[[[' is not of the type int"),
        (f"a: !!float '{'[' * 50_000}'\n", ":1: a: is a number of more than 40 characters"),
        (f"a: {'{b: ' * 5000}{'}' * 5000}\n", ":1: is nested too deeply"),
        ("a: 1.0e+400\n", ":1: a: is not a finite number"),
    ],
)
def test_what_is_refused(tmp_path, text, told):
    path = tmp_path / "x.yaml"
    with pytest.raises(SettingsError) as caught:
        read(path, text)
    assert str(caught.value) == f"{path}{told}"


PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            ": ",
            "\n",
            "  ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&x ",
            "*x",
            "!!int ",
            "!!float ",
            "<<",
            "!!binary ",
            "!a ",
            "? ",
            "| ",
            "> ",
            '"',
            "'",
            "\\ud800",
            "%YAML 1.1\n",
            "---\n",
            "#",
            "\t",
            "\x00",
            "\x85",
            "\U0001f600",
            "9" * 30,
            "9" * 5000,
            "1e999",
            "0o7",
            "0b",
            "0x",
            "~",
        ]
    ),
    max_size=12,
).map("".join)


@given(PIECES | st.text(), st.sampled_from([InventoryFile, Settings, WebSettings, dict[str, Any]]))
def test_any_text_is_read_or_refused_in_one_line(text, kind):
    message = "x.yaml"
    try:
        if kind is Settings:
            parse_settings(text, source="x.yaml")
        else:
            parse_struct(text, kind, source="x.yaml")
    except SettingsError as error:
        message = str(error)
    assert message.startswith("x.yaml")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["{}s", "{}", "a" * 5000])
def test_a_value_of_5000_characters_is_refused_in_a_short_message(text):
    with pytest.raises(SettingsError) as caught:
        parse_settings(f"leak_grace: {text.format('9' * 5000)}\n", source="x.yaml")
    assert len(str(caught.value)) < 1200


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
