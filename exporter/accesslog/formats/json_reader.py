"""
Values of JSON lines by their paths; all other keys are passed over without being made into objects.

Keys may stand in any order. A dot goes into an object.
"""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from exporter.accesslog.formats.log_format import FormatError

DOT = re.compile(r"(?<!\\)\.")
"""What stands between the steps of a path."""
NONE = ("", "-", None)
"""Values that say nothing."""


def reader(fields: Mapping[str, list[str]], order: tuple[str, ...]) -> Callable[[bytes], Any]:
    """
    Return what makes of a line the values of fields, None for no such object.

    Args:
        fields: The paths of each field; of several the first that has a value counts.
        order: The fields, in the order of their values. One without a path has no value.

    Raises:
        FormatError: If a key is both a value and an object.
    """
    tree: dict[str, Any] = {}
    wanted = [DOT.split(path) for name in order for path in fields.get(name, [])]
    getters = [".".join(_place(tree, path)) for path in wanted]
    decode = msgspec.json.Decoder(_struct(tree)).decode
    get = attrgetter(*getters)
    ends, begin = list[tuple[int, int]](), 0
    for name in order:
        ends.append((begin, begin := begin + len(fields.get(name, []))))
    simple = all(end - begin == 1 for begin, end in ends)

    def read(line: bytes) -> Any:  # noqa: ANN401 - values of JSON
        try:
            values = get(decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            return None
        return values if simple else [_first(values[begin:end]) for begin, end in ends]

    return read


def _first(values: Any) -> Any:  # noqa: ANN401 - values of JSON
    if len(values) == 1:
        return values[0]
    return next((value for value in values if value not in NONE), None)


def _place(tree: dict[str, Any], path: list[str]) -> list[str]:
    """Put *path* into *tree*; return the attributes that lead to it."""
    steps = []
    for n, step in enumerate(path):
        leaf = n == len(path) - 1
        key = step.replace("\\.", ".")
        name, child = tree.setdefault(key, (f"k{len(tree)}", None if leaf else {}))
        if (child is None) is not leaf:
            msg = f"{key} is both a value and an object; keep one"
            raise FormatError(msg)
        steps.append(name)
        tree = child if child is not None else tree
    return steps


def _struct(tree: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a type made here
    fields = list[Any]()
    for name, child in tree.values():
        if child is None:
            fields.append((name, Any, None))
        else:
            kind = _struct(child)
            fields.append((name, kind, msgspec.field(default_factory=kind)))
    rename = {name: key for key, (name, _) in tree.items()}
    return msgspec.defstruct("Line", fields, rename=rename, gc=False)
