"""Labels as text, as Prometheus' text format and OpenMetrics write them."""

from collections.abc import Iterable

Labels = tuple[str, ...]
"""The label values of one child, in the order in which its family declares the names."""


def label_text(names: Iterable[str], values: Iterable[str]) -> str:
    """Return `{name="value",...}`, escaped; nothing without labels. Empty values are left out."""
    pairs = [
        f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True) if value
    ]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def label_template(names: Iterable[str]) -> str:
    """Return a %-template for the values; it fits unless `needs_escaping` says otherwise."""
    pairs = [f'{name}="%s"' for name in names]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def needs_escaping(labels: Labels) -> bool:
    """Return whether a value is empty, and so left out, or has characters to escape."""
    return not all(labels) or any(odd in label for label in labels for odd in '\\\n"')


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
