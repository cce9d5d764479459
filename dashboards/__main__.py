"""Write the generated files; with --check only say which are out of date."""

import sys
from pathlib import Path

from dashboards.files import files

TARGET = Path(__file__).parent / "generated"


def main() -> int:
    """Write or check; return the exit code."""
    wanted = {TARGET / name: text for name, text in files().items()}
    there = {path for path in TARGET.rglob("*") if path.is_file()}
    stale = sorted(
        path
        for path in wanted.keys() | there
        if path not in there or path.read_text() != wanted.get(path)
    )
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path} is out of date: run make dashboards")  # noqa: T201 - a command
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
