"""The TLS contexts of probes: settings and their files in, contexts or one line of error out."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from exporter.config.http_settings import TlsSettings
from exporter.config.yaml_reader import SettingsError
from exporter.files.stamp import FileStamp
from exporter.probe.tls_context import make_context

Stamps = dict[Path, FileStamp | None]


def tls_context(wanted: TlsSettings, source: str) -> ssl.SSLContext:
    """
    Return the context that *wanted* describes. Reads files.

    Args:
        wanted: The settings.
        source: Where they stand; it begins error messages.

    Raises:
        SettingsError: With one line that names the file, and contains nothing of a key.
    """
    files = _files(wanted)
    try:
        return make_context(
            ca_file=files.get("ca_file"),
            cert_file=files.get("cert_file"),
            key_file=files.get("key_file"),
            verify=not wanted.insecure_skip_verify,
        )
    except OSError as error:
        named = ", ".join(
            f"{name} {file}" for name, file in files.items() if error.filename in {None, str(file)}
        )
        msg = f"{source}: tls_config: {named} cannot be used: {error.strerror or error}"
        raise SettingsError(msg) from error


def tls_files(wanted: Iterable[TlsSettings]) -> frozenset[Path]:
    """Return the files that *wanted* name."""
    return frozenset(file for each in wanted for file in _files(each).values())


def take_stamps(files: Iterable[Path]) -> Stamps:
    """Return the stamp of each of *files*."""
    return {file: FileStamp.take(file) for file in files}


def _files(wanted: TlsSettings) -> dict[str, Path]:
    named = {"ca_file": wanted.ca_file, "cert_file": wanted.cert_file, "key_file": wanted.key_file}
    return {name: Path(file) for name, file in named.items() if file}
