"""Which text format a scraper gets. No header leads to an error."""

from collections.abc import Iterator

MAX_HEADER = 4096
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_VERSIONS = frozenset({"", "0.0.1", "1.0.0"})


def wants_openmetrics(accept: str) -> bool:
    """Return whether OpenMetrics 1.0 is preferred at least as much as the text format."""
    liked = {"openmetrics": 0.0, "text": 0.0}
    for kind, words, quality in _ranges(accept):
        if kind == "application/openmetrics-text" and words.get("version", "") in _VERSIONS:
            liked["openmetrics"] = max(liked["openmetrics"], quality)
        elif kind in {"text/plain", "text/*", "*/*"}:
            liked["text"] = max(liked["text"], quality)
    return 0 < liked["openmetrics"] >= liked["text"]


def accepts_gzip(encodings: str) -> bool:
    """Return whether the scraper accepts gzip."""
    return any(kind in {"gzip", "*"} and quality > 0 for kind, _, quality in _ranges(encodings))


def _ranges(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield each range of an Accept header with its parameters and quality; skip invalid ones."""
    for part in header[:MAX_HEADER].split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        pairs = [parameter.partition("=") for parameter in parameters]
        words = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
        try:
            quality = float(words.pop("q", "1"))
        except ValueError:
            continue
        if 0 <= quality <= 1:
            yield kind, words, quality
