"""Whether an API server has a resource at all, where it refuses to list it."""

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.resource import Resource

WITHIN = 10.0
"""Seconds for the question."""


async def is_absent(error: ApiError, client: ApiClient, resource: Resource, version: str) -> bool:
    """
    Return whether *error*, from a list of *resource*, means that there is no such resource.

    An API server checks rights before it looks at what it serves. Without a rule it therefore
    refuses (403) also what is not installed. Every account may read which resources a group has.
    If the API server does not say it, the right counts as missing.

    Source: Kubernetes, "system:discovery"; the order of filters in DefaultBuildHandlerChain.
    """
    if error.kind is not ErrorKind.FORBIDDEN:
        return error.kind is ErrorKind.NOT_FOUND
    if not resource.group:
        # The core group is always there.
        return False
    try:
        found = await client.read(resource.base(version), within=WITHIN)
    except ApiError as unread:
        return unread.kind is ErrorKind.NOT_FOUND
    listed = found.get("resources")
    if not isinstance(listed, list):
        return False
    return not any(
        isinstance(each, dict) and each.get("name") == resource.plural for each in listed
    )
