"""A format by what an operator calls it."""

from collections.abc import Iterable

from exporter.accesslog.formats import apache, envoy, nginx
from exporter.accesslog.formats.json_lines import compile_map, is_map, read_map
from exporter.accesslog.formats.log_format import FormatError, LogFormat
from exporter.accesslog.formats.presets import PRESETS
from exporter.accesslog.formats.text import TextFormat, WantedFields, compile_text


def compile_log(
    form: str,
    *,
    ignore_user_agents: Iterable[str] = (),
    ignore_paths: Iterable[str] = (),
    forwarded: bool = False,
    host: bool = False,
    stamps: bool = False,
    upstream: bool = False,
    by_upstream: bool = False,
) -> LogFormat:
    """
    Compile the name of a preset, a format of nginx, Envoy or Apache, or a map of JSON keys.

    Args:
        form: Such as `main`, `$remote_addr ...`, `[%START_TIME%] ...`, `%h ...` or `{remote: ip}`.
        ignore_user_agents: Beginnings of user agents that are no clients.
        ignore_paths: Exact paths that are no client traffic.
        forwarded: Whether X-Forwarded-For is wanted.
        host: Whether the host is needed to tell the service.
        stamps: Whether the time of each line is wanted.
        upstream: Whether it is wanted where a gateway sent the request, if the format tells it.
        by_upstream: Whether the upstream's own name stands in for the host.

    Raises:
        FormatError: If it is none of these, or cannot be read without guessing.
    """
    wanted = WantedFields(
        ignore_user_agents=tuple(ignore_user_agents),
        ignore_paths=tuple(ignore_paths),
        forwarded=forwarded,
        host=host,
        stamps=stamps,
        upstream=upstream,
        by_upstream=by_upstream,
    )
    return _compile(form, wanted)


def _compile(form: str, wanted: WantedFields) -> LogFormat:
    preset = PRESETS.get(form)
    if preset is not None and preset.text is None:
        return compile_map(preset.keys, wanted, at_end=preset.at_end)
    if is_map(form):
        return compile_map(read_map(form), wanted)
    return compile_text(_text(form), wanted)


def _text(form: str) -> TextFormat:
    preset = PRESETS.get(form)
    if preset is not None and preset.text is not None:
        return preset.text()
    if "$" in form:
        return nginx.read(form)
    if envoy.IS_ENVOY.search(form):
        return envoy.read(form)
    if "%" in form:
        return apache.read(form)
    msg = (
        f"{form!r} is no format; write one of {', '.join(PRESETS)}, a format string of nginx, "
        "Envoy or Apache, or a map such as {remote: KEY, status: KEY}"
    )
    raise FormatError(msg)


def format_with_host(form: str) -> str:
    """Return the log_format string *form* with `$host`; empty if *form* is none, or none works."""
    if form not in nginx.NAMED and "$" not in form:
        return ""
    for made in nginx.with_host(form):
        try:
            compile_log(made, host=True)
        except FormatError:
            continue
        return made
    return ""
