"""The errors of an API server, as one type with what a caller needs to act on it."""

from enum import StrEnum

MAX_RETRY_AFTER = 60.0
MAX_MESSAGE = 300
UNREADABLE = (ValueError, RecursionError)
"""What decoding JSON raises. Errors of msgspec, and of text that is not UTF-8, are ValueErrors."""


class ErrorKind(StrEnum):
    """Why a request failed; the values can be label values."""

    UNREACHABLE = "unreachable"
    """No connection, a broken connection, or no answer in time."""
    TLS = "tls"
    """The server's certificate is not valid, or ours is not."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    """The requested resourceVersion or page is too old."""
    THROTTLED = "throttled"
    SERVER = "server"
    """5xx."""
    REFUSED = "refused"
    """Any other status that is not 2xx, such as a redirect, which is never followed."""
    MALFORMED = "malformed"
    """Not a reply of an API server: HTML, half a document, an encoding that was not requested."""
    TOO_LARGE = "too_large"


class ApiError(Exception):
    """
    A request that failed.

    Args:
        kind: Why it failed.
        message: One line for people that names the request and the result.
        status: The HTTP status, or 0 without a reply.
        reason: The API server's own word for it, such as AlreadyExists.
        retry_after: Seconds that the server asks us to wait, at most MAX_RETRY_AFTER.
        silent: Whether the server said nothing for long, so that it may be gone for as long.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: float | None = None,
        silent: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.silent = silent


class CredentialsError(Exception):
    """No usable credentials. The message says what is wrong, where, and what would work."""


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
    """Return the kind of error of an HTTP status that is not 2xx."""
    return _KINDS.get(status, ErrorKind.SERVER if status >= _SERVER_ERRORS else ErrorKind.REFUSED)


def one_line(text: str) -> str:
    """Return *text* safe for a log and a page: text of others may contain anything."""
    flat = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in flat[:MAX_MESSAGE])


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None for anything else, such as a date."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(float(text[:9]), MAX_RETRY_AFTER)
