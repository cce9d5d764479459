"""Makes the Secret with the key of probes where it does not exist yet."""

import base64
import binascii
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.config.yaml_reader import SettingsError
from exporter.probe.keys import parse_keys

FILE = "key"
"""The file of the Secret that the exporter reads."""
BYTES = 32
"""Random bytes of a new key, as many as HMAC-SHA256 puts out."""


async def ensure_key(
    client: ApiClient, name: str, namespaces: Sequence[str]
) -> AsyncGenerator[str, None]:
    """
    Make the Secret *name* in each of *namespaces* that lacks it, all with one key.

    A Secret that exists is never changed. The key is that of the first namespace.

    Yields:
        A line for people about each namespace. It contains nothing of a key.

    Raises:
        ApiError: If the API server refuses or does not answer.
        SettingsError: If the Secret of the first namespace has no key that can be used.
    """
    first, *others = namespaces
    made = await _made(client, name, first, secrets.token_hex(BYTES))
    found = await _read(client, name, first)
    text = _text_of(found)
    # Refuses a Secret that exists and that no exporter could use.
    parse_keys(text, source=f"Secret {first}/{name}, file {FILE}")
    yield f"Secret {first}/{name}: {'created' if made else 'exists, not changed'}"
    for each in others:
        if await _made(client, name, each, text):
            yield f"Secret {each}/{name}: created, with the same key"
        elif _text_of(await _read(client, name, each)) == text:
            yield f"Secret {each}/{name}: exists, not changed"
        else:
            yield (
                f"Secret {each}/{name}: exists with other keys than {first}/{name}, not changed; "
                "if no key is being changed now, delete it and run this again"
            )


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


async def _read(client: ApiClient, name: str, namespace: str) -> dict[str, Any]:
    return await client.read(f"{_path(namespace)}/{name}")


async def _made(client: ApiClient, name: str, namespace: str, text: str) -> bool:
    """Create the Secret and return True, or return False if it exists."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {FILE: base64.b64encode(text.encode()).decode()},
    }
    try:
        await client.create(_path(namespace), body)
    except ApiError as error:
        if error.kind is ErrorKind.CONFLICT:
            return False
        raise
    return True


def _text_of(secret: dict[str, Any]) -> str:
    data = secret.get("data")
    coded = data.get(FILE) if isinstance(data, dict) else None
    try:
        return base64.b64decode(coded if isinstance(coded, str) else "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        msg = f"the file {FILE} of a Secret with probe keys is no text; delete the Secret"
        raise SettingsError(msg) from error
