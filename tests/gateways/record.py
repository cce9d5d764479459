"""
Records what real gateways log, for tests/data/gateways.

Run as `PYTHONPATH=. python -m tests.gateways.record [NAME...]`.

Next to each log stands what a client saw of each answer, so that counts can be checked.
"""

import json
import sys
import tempfile
from pathlib import Path

from tests.gateways.asked import REQUESTS, ask, leave
from tests.gateways.backend import Backend
from tests.gateways.servers import GATEWAYS, apache, found, haproxy, logged, running

STAY = {apache, haproxy}
"""Gateways that notice only at the answer that a client is gone, and then log what they please."""
DATA = Path(__file__).parent.parent / "data" / "gateways"


def record(name, folder):
    """Ask the gateway *name*; return its log, and what a client saw."""
    with Backend() as backend, running(name, folder, backend.port) as (port, log):
        seen = [ask(port, asked) for asked in REQUESTS]
        if GATEWAYS[name][0] not in STAY:
            seen.append(leave(port, backend))
        return logged(log, len(seen)), seen


def main(names):
    for name in names or GATEWAYS:
        if found(name) is None:
            sys.stdout.write(f"{name}: is not installed; its log is kept as it is\n")
            continue
        with tempfile.TemporaryDirectory() as folder:
            text, seen = record(name, Path(folder))
        (DATA / f"{name}.log").write_text(text, errors="surrogateescape")
        rows = ",\n ".join(json.dumps(row) for row in seen)
        (DATA / f"{name}.json").write_text(f"[{rows}]\n")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines of {len(seen)} requests\n")


if __name__ == "__main__":
    main(sys.argv[1:])
