"""Inputs out of kept ones, where atheris is not installed: Hypothesis edits them, without guide."""

import time

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from tests.fuzz.harness import Target

BATCH = 500
"""Inputs between two looks at the clock."""
MAX_BYTES = 4096


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return a strategy for whole inputs, and for kept ones with some edits."""
    words = st.sampled_from(target.words) if target.words else st.binary(max_size=4)
    pieces = words | st.binary(max_size=8) | st.integers(0, 255).map(lambda n: bytes([n]) * 300)
    edits = st.tuples(st.floats(0, 1), st.integers(0, 8), pieces)
    edited = st.builds(_edited, st.sampled_from(target.inputs), st.lists(edits, max_size=6))
    joined = st.lists(pieces | st.sampled_from(target.inputs), max_size=5).map(b"".join)
    return (joined | edited | st.binary(max_size=200)).map(lambda data: data[:MAX_BYTES])


def _edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, dropped, put in edits:
        at = round(place * len(data))
        data = data[:at] + put + data[at + dropped :]
    return data


def search(target: Target, seconds: float, seed: int) -> tuple[int, bytes | None, str]:
    """Return how many inputs were tried in *seconds*, and the smallest that crashed, and how."""
    tried, last, end = 0, b"", time.monotonic() + seconds

    @hypothesis.settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(inputs(target))
    def run(data: bytes) -> None:
        nonlocal tried, last
        tried += 1
        last = data
        target.run(data)

    while time.monotonic() < end:
        try:
            hypothesis.seed(seed)(run)()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            return tried, last, f"{type(error).__name__}: {error}"
        seed += 1
    return tried, None, ""
