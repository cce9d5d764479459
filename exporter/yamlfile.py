"""Strict YAML: a file in, a frozen struct out, or one line that says what is wrong and where."""

import difflib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

MAX_BYTES = 1 << 20
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")

T = TypeVar("T")
Path_ = tuple[str | int, ...]


class SettingsError(ValueError):
    """What an operator wrote cannot be used: says what, where, and what would work."""


def read_struct(path: Path, kind: type[T], **hooks: Any) -> T:  # noqa: ANN401 - msgspec's own hooks
    """
    Read the YAML file at *path* as a *kind*.

    Raises:
        SettingsError: In one line: file, line, path in it, what is wrong, what would work.
    """
    node = _compose(path)
    lines: dict[Path_, int] = {}
    plain = _plain(node, path, (), lines, set())
    try:
        struct: T = msgspec.convert(plain, kind, **hooks)
    except msgspec.ValidationError as error:
        message, _, place = str(error).rpartition(" - at `$")
        if not message:
            message, place = str(error), "`"
        place = place.removesuffix("`")
        if place.startswith("["):  # a dict's key or value
            place = f".{place}"
        steps = tuple(_steps(place))
        raise SettingsError(_explain(path, kind, steps, message, lines)) from error
    return struct


def read_text(path: Path) -> str:
    """Return the text of a small regular file, or raise a SettingsError that names it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                msg = f"{path}: is not a regular file; name a YAML file"
                raise SettingsError(msg)
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path}: {_os_reason(error)}"
        raise SettingsError(msg) from error
    if len(raw) > MAX_BYTES:
        msg = f"{path}: is larger than {MAX_BYTES >> 20} MiB; is it the right file?"
        raise SettingsError(msg)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: is not UTF-8 text; save it as UTF-8"
        raise SettingsError(msg) from error


def _os_reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "there is no such file"
    if error.errno == errno.EACCES:
        return f"may not be read by user {os.getuid()}; check its permissions"
    if error.errno == errno.EISDIR:
        return "is a folder; name a YAML file"
    return error.strerror or str(error)


def _compose(path: Path) -> yaml.MappingNode:
    text = read_text(path)
    try:
        nodes = list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_syntax(path, text, error)) from error
    except yaml.YAMLError as error:
        msg = f"{path}: is not YAML: {' '.join(str(error).split())}"
        raise SettingsError(msg) from error
    if not nodes:
        msg = f"{path}: is empty; write at least one key"
        raise SettingsError(msg)
    if len(nodes) > 1:
        msg = f"{path}:{nodes[1].start_mark.line + 1}: a second document; write one per file"
        raise SettingsError(msg)
    if not isinstance(nodes[0], yaml.MappingNode):
        msg = f"{path}:{nodes[0].start_mark.line + 1}: is not a mapping; write `key: value` lines"
        raise SettingsError(msg)
    return nodes[0]


def _syntax(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = 0 if mark is None else mark.line
    rows = text.splitlines() or [""]
    row = rows[min(line, len(rows) - 1)]
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return f"{path}:{line + 1}: a tab in the indentation; YAML wants spaces"
    return f"{path}:{line + 1}: {error.problem or 'is not YAML'}; check indentation and quotes"


def _plain(
    node: yaml.Node, file: Path, path: Path_, lines: dict[Path_, int], seen: set[int]
) -> Any:  # noqa: ANN401
    """Turn nodes into dicts, lists and scalars, and note on which line each stands."""
    lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in seen:
        # An alias is the same node again; a few of them can make a file of gigabytes.
        msg = f"{file}: {dotted(path)}: an alias (*name); write the value out"
        raise SettingsError(msg)
    seen.add(id(node))
    if len(path) > 20:  # noqa: PLR2004 - nothing of ours nests half as deep
        msg = f"{file}:{lines[path]}: is nested too deeply"
        raise SettingsError(msg)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                msg = f"{file}:{line}: a key that is not plain text; write `key: value`"
                raise SettingsError(msg)
            key = str(key_node.value)
            if key in mapping:
                msg = f"{file}:{line}: {dotted((*path, key))}: is given twice; keep one"
                raise SettingsError(msg)
            lines[*path, key] = line
            mapping[key] = _plain(value_node, file, (*path, key), lines, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, file, (*path, n), lines, seen) for n, each in enumerate(node.value)]
    return _scalar(node, file, path)


def _scalar(node: yaml.Node, file: Path, path: Path_) -> Any:  # noqa: ANN401
    tag = node.tag.rpartition(":")[2]
    # What YAML takes for a date or a sexagesimal number is text to us.
    if tag not in {"null", "bool", "int", "float"} or ":" in node.value:
        return node.value
    value = yaml.safe_load(node.value)
    if isinstance(value, float) and not -1e300 < value < 1e300:  # noqa: PLR2004
        line = node.start_mark.line + 1
        msg = f"{file}:{line}: {dotted(path)}: is not a finite number"
        raise SettingsError(msg)
    return value


def _steps(place: str) -> Iterator[str | int]:
    for name, index in _STEP.findall(place):
        if name or index:
            yield name or int(index)


def dotted(path: Path_) -> str:
    """Return a path inside a file as people write it: `logs[0].files`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _explain(path: Path, kind: type, steps: Path_, message: str, lines: dict[Path_, int]) -> str:
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    wrong = re.fullmatch(r"Expected `(.*)`, got `(.*)`", message)
    bounded = re.fullmatch(r"Expected `(.*)` (.*)", message)
    enum = re.fullmatch(r"Invalid enum value (.*)", message)
    if unknown:
        allowed = _keys(kind, steps)
        steps = (*steps, unknown[1])
        near = difflib.get_close_matches(unknown[1], allowed, 1)
        guess = f"did you mean {near[0]}? " if near else ""
        message = f"is no key; {guess}allowed here: {', '.join(allowed)}"
    elif missing:
        message = f"the key {missing[1]} is missing"
    elif wrong:
        wanted = wrong[1].replace("object", "mapping").replace("array", "list")
        wanted = wanted.replace("str", "text").replace("bool", "true or false")
        got = wrong[2].replace("object", "a mapping").replace("array", "a list")
        message = f"should be {wanted.replace(' | ', ' or ')}, not {got.replace('str', 'text')}"
    elif bounded:
        message = f"should be {bounded[1]} {bounded[2]}"
    elif enum:
        message = f"{enum[1]} is not one of those allowed; see `config schema`"
    while steps not in lines:
        steps = steps[:-1]
    where = dotted(steps)
    return f"{path}:{lines[steps]}: {where}: {message}" if where else f"{path}: {message}"


def _keys(kind: Any, steps: Path_) -> list[str]:  # noqa: ANN401 - any annotation
    """Return the keys that a struct inside *kind* has, found by the *steps* that lead to it."""
    info: Any = msgspec.inspect.type_info(kind)
    for step in (*steps, None):
        while not isinstance(info, msgspec.inspect.StructType):
            if isinstance(info, msgspec.inspect.UnionType):
                info = next(t for t in info.types if isinstance(t, msgspec.inspect.StructType))
            elif isinstance(info, msgspec.inspect.Metadata):
                info = info.type
            else:
                info = info.item_type
        if isinstance(step, str):
            info = next(f.type for f in info.fields if f.encode_name == step)
    return [field.encode_name for field in info.fields]
