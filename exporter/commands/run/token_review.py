"""What the bearer of a token may do, asked of the API server for the HTTP server."""

from functools import partial

from exporter.apiserver.access_review import may_request, review_token
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.web.token_auth import Access, AccessUnknownError, Review


def reviewing(client: ApiClient) -> Review:
    """Return the question for `exporter.web`, asked through *client*."""
    return partial(_review, client)


async def _review(client: ApiClient, token: str, verb: str, path: str) -> Access:
    try:
        user = await review_token(client, token)
        if user is None:
            return Access.UNKNOWN
        allowed = await may_request(client, user, verb, path)
    except ApiError as error:
        told = str(error)
        if error.kind is ErrorKind.FORBIDDEN:
            told += "; grant create on tokenreviews and subjectaccessreviews"
        raise AccessUnknownError(told) from error
    return Access.ALLOWED if allowed else Access.FORBIDDEN
