"""User-Agents of probes that another exporter made."""

from exporter.model.clusterset import ServiceName
from exporter.probe.identity import user_agent
from tests.fakes.nouns import NGINX

SECRET = b"secret"


def signed(
    cluster: str,
    unix_ms: int,
    nonce: str,
    *,
    key: bytes | None = SECRET,
    destination: str = "a",
    service: ServiceName = NGINX,
) -> str:
    """Return the User-Agent of a probe that *cluster* sent to *destination*."""
    return user_agent(
        cluster,
        service,
        destination=destination,
        version="0.1.0",
        key=key,
        unix_ms=unix_ms,
        nonce=nonce,
    )
