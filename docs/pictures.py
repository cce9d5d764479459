"""What each picture of the docs shows, so that a test can tell when one is older than that."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BOARDS = ROOT / "dashboards" / "generated" / "boards"
STATUS_PAGE = ROOT / "exporter" / "web" / "page"
TEN = "clusterset-overview-ten.png"
"""The overview of ten clusters, with samples that are made up."""
PAGE = "status-page.png"
_ON_HOVER = "description"


def sources() -> dict[str, list[bytes]]:
    """Return the sources of each picture that is made from the product, by its file name."""
    boards = {f"{path.stem}.png": [shown(json.loads(path.read_text()))] for path in BOARDS.iterdir()}
    page = sorted(path for path in STATUS_PAGE.iterdir() if path.is_file())
    return {
        **boards,
        TEN: boards["clusterset-overview.png"],
        PAGE: [path.read_bytes() for path in page],
    }


def shown(board: Any) -> bytes:
    """Return what a picture of a board shows of it, as text: all but what is shown on hover."""
    return json.dumps(_without(board, _ON_HOVER), sort_keys=True).encode()


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, key) for name, each in value.items() if name != key}
    return [_without(each, key) for each in value] if isinstance(value, list) else value
