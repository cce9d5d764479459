"""What goes wrong with an API server, as one type with what is needed to act on it."""

from enum import StrEnum

MAX_RETRY_AFTER = 60.0
MAX_MESSAGE = 300


class ErrorKind(StrEnum):
    """What a failed request comes to; the values are fit for labels."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke, or nothing came in time."""
    TLS = "tls"
    """The server's certificate does not hold, or ours does not."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    """The resourceVersion or the page asked for is too old."""
    THROTTLED = "throttled"
    SERVER = "server"
    """5xx."""
    REFUSED = "refused"
    """Any other status that is not 2xx, redirects among them: they are never followed."""
    MALFORMED = "malformed"
    """Not what an API server says: HTML, half a document, an encoding that was not asked for."""
    TOO_LARGE = "too_large"


class ApiError(Exception):
    """
    A request that failed.

    Args:
        kind: What it comes to.
        message: One line for people that says what was asked and what came of it.
        status: The HTTP status, or 0 if none came.
        reason: The API server's own word for it, such as AlreadyExists.
        retry_after: Seconds that the server asks us to wait, at most MAX_RETRY_AFTER.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class CredentialsError(Exception):
    """No usable credentials; the message says what is wrong, where, and what would work."""


_KINDS = {
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    409: ErrorKind.CONFLICT,
    410: ErrorKind.GONE,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.THROTTLED,
}
_SERVER_ERRORS = 500


def kind_of(status: int) -> ErrorKind:
    """Return what an HTTP status that is not 2xx comes to."""
    return _KINDS.get(status, ErrorKind.SERVER if status >= _SERVER_ERRORS else ErrorKind.REFUSED)


def one_line(text: str) -> str:
    """Return *text* fit for a log and a page: what others wrote may hold anything."""
    flat = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in flat[:MAX_MESSAGE])


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None for a date or nonsense."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:9]), MAX_RETRY_AFTER)
