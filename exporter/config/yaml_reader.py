"""Strict YAML: a file in, a frozen struct out, or one line that says what is wrong and where."""

import difflib
import errno
import os
import re
import stat
import sys
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
    text = read_text(path)
    plain = _document(path, text)
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
        # Read once more for the lines: kept on the way, they would be larger than all the rest.
        lines: dict[Path_, int] = {}
        _document(path, text, lines)
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


def _document(path: Path, text: str, lines: dict[Path_, int] | None = None) -> dict[str, Any]:
    """Return the one mapping in *text*; note in *lines* on which line each value stands."""
    try:
        return _Reader(path, text, lines).document()
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_syntax(path, text, error)) from error
    except yaml.YAMLError as error:
        msg = f"{path}: is not YAML: {' '.join(str(error).split())}"
        raise SettingsError(msg) from error


def _syntax(path: Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = 0 if mark is None else mark.line
    rows = text.splitlines() or [""]
    row = rows[min(line, len(rows) - 1)]
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return f"{path}:{line + 1}: a tab in the indentation; YAML wants spaces"
    return f"{path}:{line + 1}: {error.problem or 'is not YAML'}; check indentation and quotes"


class _Reader:
    """
    Turns YAML into dicts, lists and scalars as it is parsed.

    A tree of nodes of the whole file, each with its marks, would take 20 times the file's size, and
    the process would never get rid of it.
    """

    def __init__(self, file: Path, text: str, lines: dict[Path_, int] | None) -> None:
        self._file, self._lines = file, lines
        # Typed nowhere as far as it is used here.
        self._loader: Any = _LOADER(text)
        self._path: list[str | int] = []

    def document(self) -> dict[str, Any]:
        """Return the mapping that the file is."""
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            msg = f"{self._file}: is empty; write at least one key"
            raise SettingsError(msg)
        event = self._next()
        if not isinstance(event, yaml.MappingStartEvent):
            raise self._wrong(event, "is not a mapping; write `key: value` lines")
        found = self._mapping(event)
        self._next()
        if isinstance(self._next(), yaml.DocumentStartEvent):
            raise self._wrong(self._next(), "a second document; write one per file")
        return found

    def _next(self) -> yaml.Event:
        event: yaml.Event = self._loader.get_event()
        return event

    def _wrong(self, event: yaml.Event, text: str) -> SettingsError:
        return SettingsError(f"{self._file}:{_line(event)}: {text}")

    def _value(self, event: yaml.Event) -> Any:  # noqa: ANN401
        if isinstance(event, yaml.ScalarEvent):
            self._note(event)
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            # A few of them can make a file of gigabytes.
            where = dotted(tuple(self._path))
            msg = f"{self._file}: {where}: an alias (*name); write the value out"
            raise SettingsError(msg)
        if len(self._path) > 20:  # noqa: PLR2004 - nothing of ours nests half as deep
            raise self._wrong(event, "is nested too deeply")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event)
        return self._sequence(event)

    def _mapping(self, event: yaml.Event) -> dict[str, Any]:
        self._note(event)
        mapping: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            self._path.append(key)
            if key in mapping:
                where = dotted(tuple(self._path))
                raise self._wrong(event, f"{where}: is given twice; keep one")
            self._note(event)
            mapping[key] = self._value(self._next())
            self._path.pop()
        return mapping

    def _key(self, event: yaml.Event) -> str:
        merges = isinstance(event, yaml.ScalarEvent) and self._tag(event).endswith(":merge")
        if not isinstance(event, yaml.ScalarEvent) or merges:
            raise self._wrong(event, "a key that is not plain text; write `key: value`")
        # The same few keys again and again.
        return sys.intern(str(event.value))

    def _sequence(self, event: yaml.Event) -> list[Any]:
        self._note(event)
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._path.append(len(found))
            found.append(self._value(event))
            self._path.pop()
        return found

    def _scalar(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401
        tag = self._tag(event).rpartition(":")[2]
        # What YAML takes for a date or a sexagesimal number is text to us.
        if tag not in {"null", "bool", "int", "float"} or ":" in event.value:
            return event.value
        value = yaml.load(event.value, Loader=_LOADER)  # noqa: S506 - one of the safe ones
        if isinstance(value, float) and not -1e300 < value < 1e300:  # noqa: PLR2004
            raise self._wrong(event, f"{dotted(tuple(self._path))}: is not a finite number")
        return value

    def _tag(self, event: yaml.ScalarEvent) -> str:
        if event.tag is not None and event.tag != "!":
            return str(event.tag)
        return str(self._loader.resolve(yaml.ScalarNode, event.value, event.implicit))

    def _note(self, event: yaml.Event) -> None:
        if self._lines is not None:
            self._lines.setdefault(tuple(self._path), _line(event))


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


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
