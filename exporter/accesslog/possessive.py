"""
Compiles expressions with possessive groups, also for a Python that gets them wrong.

Before 3.11.5, Python does not go back to where such a group began when the group fails in its
middle (python/cpython issue 106052). An atomic group means the same, and is right there.
"""

import re
import sys

FIXED_IN = (3, 11, 5)
_QUANTIFIER = re.compile(rb"(?:[*+?]|\{\d*,?\d*\})(?=\+)")
_TOKEN = re.compile(rb"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def compiled(pattern: bytes, flags: int = 0) -> re.Pattern[bytes]:
    """Return what `re.compile` returns, with groups that this Python gets right."""
    right = sys.version_info >= FIXED_IN
    return re.compile(pattern if right else with_atomic_groups(pattern), flags)


def with_atomic_groups(pattern: bytes) -> bytes:
    """Return *pattern* with `(?>(...)?)` in the place of `(...)?+`, and so for each quantifier."""
    made: list[bytes] = []
    opened: list[int] = []
    place = 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            break
        place = token.end()
        made.append(token[0])
        if token[0] == b"(":
            opened.append(len(made) - 1)
        elif token[0] == b")":
            begin = opened.pop()
            quantifier = _QUANTIFIER.match(pattern, place)
            if quantifier is not None:
                made[begin] = b"(?>" + made[begin]
                made.append(quantifier[0] + b")")
                place = quantifier.end() + 1
    return b"".join(made)
