"""Credentials for an API server, and how a pod reads them from its service account."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from exporter.apiserver.errors import CredentialsError
from exporter.files.regular import UnsuitableFileError, read_regular

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
READ_AGAIN = 60.0
"""Seconds after which the token is read again: the kubelet renews it long before it expires."""
MAX_FILE = 1 << 20
_HTTPS = "https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything that requests to one API server need."""

    server: str
    """Its URL, without a slash at the end."""
    origin: str
    """Where this was found, for people."""
    namespace: str = "default"
    fresh_for: float = float("inf")
    """Seconds after which it should be loaded again."""
    authorization: str | None = field(default=None, repr=False)
    """The Authorization header."""
    certificate: str | None = None
    """Our client certificate, PEM."""
    key: str | None = field(default=None, repr=False)
    ca: str | None = None
    """The CA certificates that sign the server's, PEM; None for those that the system trusts."""
    verify: bool = True
    """False if a kubeconfig says insecure-skip-tls-verify."""
    server_name: str | None = None
    """The name in the server's certificate, if it differs from the one in the URL."""
    proxy: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that would reveal a secret or break a request."""
        secret = self.authorization or self.certificate
        if secret and not self.server.startswith(_HTTPS):
            msg = (
                f"{self.origin}: server {self.server} is not https, and credentials are only "
                "sent over https; use an https URL, or remove the credentials"
            )
            raise CredentialsError(msg)
        text = self.authorization or ""
        if not (text.isascii() and text.isprintable()):
            msg = f"{self.origin}: the token has characters that no token has; write it again"
            raise CredentialsError(msg)

    @property
    def tls(self) -> tuple[object, ...]:
        """Return what an SSL context is made from, to see whether a new one is needed."""
        return self.ca, self.certificate, self.key, self.verify


class Source(Protocol):
    """Where credentials come from."""

    async def load(self) -> Credentials:
        """Read them as they are now; CredentialsError if they cannot be used."""
        ...


class InCluster:
    """The service account of the pod that we run in."""

    def __init__(self, environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> None:
        self._host, self._port = environ.get(HOST, ""), environ.get(PORT, "")
        self._directory = directory

    def is_here(self) -> bool:
        """Return whether this looks like a pod with a service account."""
        return bool(self._host and self._port) and (self._directory / "token").exists()

    async def load(self) -> Credentials:
        """Read token, CA and namespace; CredentialsError with the path of what is wrong."""
        return await asyncio.to_thread(self._load)

    def _load(self) -> Credentials:
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            namespace = _read(self._directory / "namespace")
        except CredentialsError:
            namespace = "default"
        return Credentials(
            server=f"{_HTTPS}{host}:{self._port}",
            origin=f"service account in {self._directory}",
            namespace=namespace,
            fresh_for=READ_AGAIN,
            authorization=f"Bearer {_read(self._directory / 'token')}",
            ca=_read(self._directory / "ca.crt"),
        )


def _read(path: Path) -> str:
    """Read a small regular file, stripped. A pipe or a device must not block us."""
    try:
        text = read_regular(path, MAX_FILE).decode("ascii").strip()
    except UnsuitableFileError as error:
        msg = f"{path}: {error.strerror}; the kubelet writes a small regular file"
        raise CredentialsError(msg) from error
    except OSError as error:
        msg = (
            f"{path}: {error.strerror}; mount the service account token "
            "(automountServiceAccountToken), or give --kubeconfig"
        )
        raise CredentialsError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: is not plain ASCII text"
        raise CredentialsError(msg) from error
    if not text:
        msg = f"{path}: is empty; the kubelet should have written it"
        raise CredentialsError(msg)
    return text
