"""A format by what an operator calls it."""

from collections.abc import Iterable

from exporter.accesslog.formats.json_lines import compile_objects
from exporter.accesslog.formats.log_format import FormatError, LogFormat
from exporter.accesslog.formats.nginx import NAMED, compile_format, with_host


def compile_log(
    form: str,
    *,
    ignore_user_agents: Iterable[str] = (),
    ignore_paths: Iterable[str] = (),
    forwarded: bool = False,
    host: bool = False,
    stamps: bool = False,
) -> LogFormat:
    """
    Compile `combined`, `main`, `json`, or a log_format string.

    Raises:
        FormatError: If it is none of these, or cannot be read without guessing.
    """
    if form == "json":
        return compile_objects(ignore_user_agents=ignore_user_agents, ignore_paths=ignore_paths)
    if form not in NAMED and "$" not in form:
        msg = f"{form!r} is no format; write combined, main, json or a log_format string"
        raise FormatError(msg)
    return compile_format(
        form,
        ignore_user_agents=ignore_user_agents,
        ignore_paths=ignore_paths,
        forwarded=forwarded,
        host=host,
        stamps=stamps,
    )


def format_with_host(form: str) -> str:
    """Return the log_format string *form* with `$host`; empty if *form* is none, or none works."""
    if form not in NAMED and "$" not in form:
        return ""
    for made in with_host(form):
        try:
            compile_format(made, host=True)
        except FormatError:
            continue
        return made
    return ""
