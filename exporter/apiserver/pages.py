"""The pages of a list, one after the other."""

from collections.abc import AsyncIterator, Awaitable, Callable

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.resource import Page


async def pages(
    fetch: Callable[[str], Awaitable[Page]], title: str, most: int
) -> AsyncIterator[Page]:
    """
    Yield the pages of a list.

    Args:
        fetch: Returns the page that begins at a token, which is empty for the first one.
        title: What is listed.
        most: The largest allowed number of pages.

    Raises:
        ApiError: If a page cannot be fetched, or if there are more of them.
    """
    token = ""
    for _ in range(most):
        page = await fetch(token)
        yield page
        token = page.metadata.next_page
        if not token:
            return
    msg = f"list of {title}: does not end after {most} pages"
    raise ApiError(ErrorKind.TOO_LARGE, msg)
