"""
Reads kubeconfig files with the official client and prints the credentials as JSON.

It is a program of its own, started by `exporter.apiserver.auth`, because the daemon never imports
`kubernetes`.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.files.regular import read_regular

NO_PACKAGE = (
    "kubeconfig files need the package kubernetes: pip install 'clusterset-exporter[kubeconfig]'"
)

MAX_FILE = 16 << 20
"""Bytes of a kubeconfig, or of a file that it names."""


def _text(path: str | None) -> str | None:
    # Only comments have other characters, and Python takes certificates as ASCII text.
    return read_regular(path, MAX_FILE).decode("ascii", "ignore") if path else None


def _refuse_unsuitable(paths: Iterable[str | Path]) -> None:
    """Read each file once, because the official client would wait at a named pipe."""
    for path in paths:
        with suppress(FileNotFoundError):
            read_regular(path, MAX_FILE)


def _token_files(read: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files with tokens that the kubeconfig files name; *read* is by path."""
    for path, config in read.items():
        for each in config.get("users") or ():
            if name := (each.get("user") or {}).get("tokenFile"):
                yield Path(path).parent / name


def read(paths: str, context: str | None) -> dict[str, object]:
    """Return the fields of `Credentials`, and in how many seconds they expire."""
    from kubernetes.client import Configuration  # noqa: PLC0415 - where its absence is met
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger  # noqa: PLC0415

    # The official client only logs that a plugin failed.
    said = io.StringIO()
    logging.basicConfig(stream=said, format="%(message)s", force=True)
    _refuse_unsuitable(Path(each).expanduser() for each in paths.split(os.pathsep) if each)
    merged = KubeConfigMerger(paths)
    _refuse_unsuitable(_token_files(merged.config_files))
    loader = KubeConfigLoader(
        merged.config,
        active_context=context,
        config_base_path=None,  # paths in a file are relative to it
        config_persister=merged.save_changes,
    )
    made = Configuration()
    loader.load_and_set(made)
    authorization = made.api_key.get("BearerToken")
    if made.host.startswith("https") and not authorization and not made.cert_file:
        why = said.getvalue().strip() or "the user has none"
        sys.exit(f"yields neither a token nor a client certificate: {why}")
    expiry = getattr(loader, "expiry", None)
    return {
        "server": made.host,
        "namespace": loader.current_context["context"].get("namespace") or "default",
        "authorization": authorization,
        "certificate": _text(made.cert_file),
        "key": _text(made.key_file),
        "ca": _text(made.ssl_ca_cert),
        "verify": made.verify_ssl,
        "server_name": made.tls_server_name,
        "proxy": made.proxy,
        "expires_in": (expiry - datetime.now(UTC)).total_seconds() if expiry else None,
    }


def main(paths: str, context: str) -> None:
    """Print the credentials, or exit with one line that says why there are none."""
    try:
        found = read(paths, context or None)
    except ImportError:
        sys.exit(NO_PACKAGE)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
