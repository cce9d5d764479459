"""Formats and log files out of an nginx configuration, read by nginx's own crossplane."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_LEAST = {"log_format": 2, "access_log": 1}
"""How many arguments each directive that is read here has at least."""
NEEDS_CROSSPLANE = (
    "reading it needs the package crossplane: pip install 'clusterset-exporter[nginx]'"
)
_PREFIX = re.compile(r"^\[Errno \d+\] ")


class NginxConfError(Exception):
    """An nginx configuration cannot be used; says which, where and why."""


class NginxLogs(NamedTuple):
    """A format and the files that are written in it."""

    format: str
    """As `exporter.accesslog.formats.compile.compile_log` takes it."""
    files: tuple[str, ...]


def read_nginx_conf(path: Path, name: str | None) -> NginxLogs:
    """
    Return a format of the configuration at *path*, includes and all.

    Args:
        path: Such as /etc/nginx/nginx.conf.
        name: Of the format; may be left out if there is just one, or none but `combined`.

    Raises:
        NginxConfError: If it cannot be read, or has no such format.
    """
    directives = list(_directives(path))
    for each in directives:
        if len(each["args"]) < _LEAST.get(each["directive"], 0):
            msg = f"{path}:{each['line']}: {each['directive']} has too few arguments"
            raise NginxConfError(msg)
    formats = {
        each["args"][0]: _format(each["args"][1:])
        for each in directives
        if each["directive"] == "log_format"
    }
    formats.setdefault("combined", "combined")
    name = _chosen(path, name, formats)
    files = [
        each["args"][0]
        for each in directives
        if each["directive"] == "access_log" and _is_file(each["args"], name)
    ]
    return NginxLogs(formats[name], tuple(dict.fromkeys(files)))


def _directives(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import crossplane  # noqa: PLC0415 - an extra, and most exporters read no such file
    except ImportError as error:
        msg = f"{path}: {NEEDS_CROSSPLANE}"
        raise NginxConfError(msg) from error
    try:
        parsed = crossplane.parse(str(path), comments=False)
    except (OSError, crossplane.errors.NgxParserBaseException) as error:
        message = getattr(error, "strerror", None) or str(error)
        msg = f"{path}: {message}"
        raise NginxConfError(msg) from error
    for wrong in parsed["errors"]:
        place = wrong["file"] if wrong["line"] is None else f"{wrong['file']}:{wrong['line']}"
        found = _PREFIX.sub("", str(wrong["error"])).partition(" in /")[0].partition(": '/")[0]
        msg = f"{place}: {found}"
        raise NginxConfError(msg)
    for part in parsed["config"]:
        yield from _all(part["parsed"])


def _chosen(path: Path, name: str | None, formats: dict[str, str]) -> str:
    if name is None:
        own = [each for each in formats if each != "combined"]
        if len(own) > 1:
            msg = f"{path}: name is missing; formats there are {', '.join(own)}"
            raise NginxConfError(msg)
        name = own[0] if own else "combined"
    if name not in formats:
        msg = f"{path}: has no log_format {name}; formats there are {', '.join(formats)}"
        raise NginxConfError(msg)
    return name


def _all(directives: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in directives:
        yield each
        yield from _all(each.get("block", []))


def _format(parts: list[str]) -> str:
    escape = f"{parts[0]} " if parts[0].startswith("escape=") else ""
    return escape + "".join(parts[1:] if escape else parts)


def _is_file(args: list[str], name: str) -> bool:
    written = next((each for each in args[1:] if "=" not in each), "combined")
    path = args[0]
    return written == name and path.startswith("/") and path != "/dev/stdout" and "$" not in path
