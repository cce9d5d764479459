"""Which credentials are used, and how a kubeconfig file is read."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from exporter.apiserver.credentials import SERVICE_ACCOUNT, Credentials, InCluster, Source
from exporter.apiserver.errors import CredentialsError, one_line

LOAD_LIMIT = 60.0
"""Seconds to read a kubeconfig: an exec plugin may send requests over the network."""
DEFAULT_FILE = "~/.kube/config"
EXPIRY_MARGIN = 60.0
SOONEST = 30.0
"""Seconds for which credentials are used at least, even if they expire sooner."""


class Kubeconfig:
    """
    Kubeconfig files, read by the official client in a process of its own.

    So merging, exec plugins and OIDC work as kubectl's users know them. The memory that the
    official client takes is free again when that process ends.
    """

    def __init__(self, paths: str, context: str | None = None) -> None:
        self._paths, self._context = paths, context

    async def load(self) -> Credentials:
        """Read the files; CredentialsError with the message of the official client."""
        process = await asyncio.create_subprocess_exec(
            # -P: Python imports nothing from the current directory.
            *(sys.executable, "-P", "-m", "exporter.apiserver.kubeconfig"),
            *(self._paths, self._context or ""),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(LOAD_LIMIT):
                out, err = await process.communicate()
        except TimeoutError as error:
            msg = f"{self._paths}: no credentials after {LOAD_LIMIT:.0f} s; is a plugin waiting?"
            raise CredentialsError(msg) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = err.decode(errors="replace").strip().splitlines() or ["it gives no reason"]
            msg = f"{self._paths}: {one_line(said[-1])}"
            raise CredentialsError(msg)
        return self._made_of(out)

    def _made_of(self, out: bytes) -> Credentials:
        found = msgspec.json.decode(out)
        left = found.pop("expires_in")
        if left is not None:
            found["fresh_for"] = max(left - EXPIRY_MARGIN, SOONEST)
        return Credentials(origin=f"kubeconfig {self._paths}", **found)


async def find(
    environ: Mapping[str, str],
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    directory: Path = SERVICE_ACCOUNT,
) -> Source:
    """
    Return the credentials to use: *kubeconfig* if given, else the pod's, else kubectl's.

    Args:
        environ: The environment.
        kubeconfig: One file, or several with colons between.
        context: The context of the kubeconfig; if given, those of the pod are not used.
        directory: The directory of a pod's service account.

    Raises:
        CredentialsError: If there are none; the message says what would work.
    """
    return await asyncio.to_thread(
        _find, InCluster(environ, directory), environ, kubeconfig, context
    )


def _find(
    pod: InCluster, environ: Mapping[str, str], kubeconfig: str | None, context: str | None
) -> Source:
    if kubeconfig is None and context is None and pod.is_here():
        return pod
    paths = kubeconfig or environ.get("KUBECONFIG") or DEFAULT_FILE
    if not any(Path(path).expanduser().is_file() for path in paths.split(":") if path):
        msg = (
            f"{paths}: no such file; give --kubeconfig, set KUBECONFIG, or run in a pod "
            "with a service account token; or name a static inventory in --config.file"
        )
        raise CredentialsError(msg)
    return Kubeconfig(paths, context)
