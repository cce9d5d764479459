"""Who bears a token, and what that account may do: TokenReview and SubjectAccessReview."""

from typing import TypeVar

import msgspec

from exporter.apiserver.client import ApiClient, JsonDict
from exporter.apiserver.errors import ApiError, ErrorKind

T = TypeVar("T")
WITHIN = 5.0
"""Seconds for one review."""
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account, as a TokenReview names it."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: User = User()


class _AccessStatus(msgspec.Struct):
    allowed: bool = False
    denied: bool = False


async def review_token(client: ApiClient, token: str) -> User | None:
    """
    Ask the API server who bears *token*; None if nobody does.

    Raises:
        ApiError: If it does not say it, for example because we may not create tokenreviews.
    """
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }
    answer = await client.create(_TOKEN_REVIEWS, review, within=WITHIN)
    status = _status(answer, _TokenStatus, "TokenReview")
    return status.user if status.authenticated and status.user.username else None


async def may_request(client: ApiClient, user: User, verb: str, path: str) -> bool:
    """
    Ask the API server whether *user* may do *verb* on *path*, a URL of no resource.

    Raises:
        ApiError: If it does not say it, for example because we may not create
            subjectaccessreviews.
    """
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "nonResourceAttributes": {"path": path, "verb": verb},
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
        },
    }
    answer = await client.create(_ACCESS_REVIEWS, review, within=WITHIN)
    status = _status(answer, _AccessStatus, "SubjectAccessReview")
    return status.allowed and not status.denied


def _status(answer: JsonDict, kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(answer.get("status"), kind)
    except msgspec.ValidationError as error:
        msg = f"{name}: its status is not valid: {error}"
        raise ApiError(ErrorKind.MALFORMED, msg) from error
