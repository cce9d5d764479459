"""Strict YAML: text in, a frozen struct out, or one line that says what is wrong and where."""

import difflib
import re
import sys
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import yaml

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")

MAX_DIGITS = 40
"""Characters of a number; Python refuses to read those of more than 4300."""
MAX_KEY = 80
"""Characters of a key that a message shows."""
MAX_MESSAGE = 1000

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "str": "text",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
}
"""What msgspec calls types, in words."""
_BARE = {"bool", "int", "float"}

T = TypeVar("T")
YamlPath = tuple[str | int, ...]


class SettingsError(ValueError):
    """A setting cannot be used; the message says which, where, and what would work."""


def parse_struct(
    text: str,
    kind: type[T],
    *,
    source: str,
    **hooks: Any,  # noqa: ANN401 - msgspec's own hooks
) -> T:
    """
    Read YAML as a *kind*.

    Args:
        text: The YAML.
        kind: A msgspec.Struct, or any other type that msgspec converts to.
        source: The name of the file, which begins each error message.
        hooks: Passed on to `msgspec.convert`.

    Raises:
        SettingsError: In one line: file, line, path in it, what is wrong, what would work.
    """
    plain = _document(source, text)
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
        # The text is read a second time for the line numbers, because keeping them on the first
        # pass would take more memory than all the rest.
        lines: dict[YamlPath, int] = {}
        _document(source, text, lines)
        raise SettingsError(_explain(source, kind, steps, message, lines)) from error
    return struct


def _document(source: str, text: str, lines: dict[YamlPath, int] | None = None) -> dict[str, Any]:
    """Return the one mapping in *text*; note in *lines* on which line each value stands."""
    try:
        return _Reader(source, text, lines).document()
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_syntax(source, text, error)) from error
    except yaml.YAMLError as error:
        msg = f"{source}: is not YAML: {' '.join(str(error).split())}"
        raise SettingsError(msg) from error


def _syntax(source: str, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = 0 if mark is None else mark.line
    rows = text.splitlines() or [""]
    row = rows[min(line, len(rows) - 1)]
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return f"{source}:{line + 1}: a tab in the indentation; YAML wants spaces"
    return f"{source}:{line + 1}: {error.problem or 'is not YAML'}; check indentation and quotes"


class _Reader:
    """
    Turns YAML into dicts, lists and scalars, one parser event after the other.

    A tree of nodes for the whole file would take 20 times the size of the file. The process would
    never return that memory.
    """

    def __init__(self, source: str, text: str, lines: dict[YamlPath, int] | None) -> None:
        self._source, self._lines = source, lines
        # PyYAML has no type hints for the methods that are used here.
        self._loader: Any = _LOADER(text)
        self._path: list[str | int] = []

    def document(self) -> dict[str, Any]:
        """Return the one mapping of the document."""
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            msg = f"{self._source}: is empty; write at least one key"
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
        return SettingsError(f"{self._source}:{_line(event)}: {text}")

    def _value(self, event: yaml.Event) -> Any:  # noqa: ANN401
        if isinstance(event, yaml.ScalarEvent):
            self._note(event)
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            # A few aliases in each other can expand to gigabytes.
            where = dotted(tuple(self._path))
            msg = f"{self._source}: {where}: an alias (*name); write the value out"
            raise SettingsError(msg)
        if len(self._path) > 20:  # noqa: PLR2004 - our settings nest less than half as deep
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
        # Interned, because the same few keys come again and again.
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
        # YAML's dates and sexagesimal numbers are text to us.
        if tag not in {"null", "bool", "int", "float"} or ":" in event.value:
            return event.value
        if len(event.value) > MAX_DIGITS:
            raise self._odd(event, f"is a number of more than {MAX_DIGITS} characters")
        node = yaml.ScalarNode(f"tag:yaml.org,2002:{tag}", event.value)
        try:
            # The text alone, because as YAML it could hold anything.
            value = yaml.constructor.SafeConstructor().construct_object(node)
        except (ValueError, LookupError) as error:
            raise self._odd(event, f"{event.value!r} is not of the type {tag}") from error
        if isinstance(value, float) and not -1e300 < value < 1e300:  # noqa: PLR2004
            raise self._odd(event, "is not a finite number")
        return value

    def _odd(self, event: yaml.Event, text: str) -> SettingsError:
        return self._wrong(event, f"{dotted(tuple(self._path))}: {text}")

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


def dotted(path: YamlPath) -> str:
    """Return a path inside a file as people write it: `logs[0].files`."""
    text = "".join(f"[{s}]" if isinstance(s, int) else f".{s[:MAX_KEY]}" for s in path)
    return text.removeprefix(".")


def _explain(
    source: str, kind: type, steps: YamlPath, message: str, lines: dict[YamlPath, int]
) -> str:
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    found = (*steps, unknown[1]) if unknown else steps
    while found not in lines:
        found = found[:-1]
    line = lines[found]
    where = dotted(steps if unknown else found)
    told = _unknown_key(unknown[1], _keys(kind, steps)) if unknown else _in_words(message)
    if len(told) > MAX_MESSAGE:
        told = f"{told[:MAX_MESSAGE]}... (cut)"
    if not where and not unknown:
        return f"{source}: {told}"
    return f"{source}:{line}: {where}: {told}" if where else f"{source}:{line}: {told}"


def _unknown_key(key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, 1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown key {key!r}; {guess}allowed here: {', '.join(allowed)}"


def _in_words(message: str) -> str:
    """Return what msgspec says about a value as a person would say it."""
    if missing := re.fullmatch(r"Object missing required field `(.*)`", message):
        return f"the key {missing[1]} is missing"
    if wrong := re.fullmatch(r"Expected `(.*)`, got `(.*)`", message):
        wanted = [_TYPES.get(each, each) for each in wrong[1].split(" | ")]
        # YAML reads no, on and 1 as something else than text.
        quotes = "; put it in quotes" if "text" in wanted and wrong[2] in _BARE else ""
        return f"should be {' or '.join(wanted)}, not {_TYPES.get(wrong[2], wrong[2])}{quotes}"
    if bounded := re.fullmatch(r"Expected `(.*)` (.*)", message):
        return f"should be {bounded[1]} {bounded[2]}"
    if enum := re.fullmatch(r"Invalid enum value (.*)", message):
        return f"{enum[1]} is not one of those allowed; see `config schema`"
    return message


def _keys(kind: Any, steps: YamlPath) -> list[str]:  # noqa: ANN401 - any annotation
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
