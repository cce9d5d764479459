"""
Fuzzes all targets, or those named: `python -m tests.fuzz [--seconds 60] [NAME...]`.

atheris finds more, because it sees which branches an input reaches. Where it is not installed,
Hypothesis edits the kept inputs. An input that crashes is printed as a line for its corpus file.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.generate import MAX_BYTES, search
from tests.fuzz.harness import CORPUS, Target, write_input
from tests.fuzz.targets import TARGETS

SLOW = 10
"""Seconds that one input may take."""
MEMORY = 1024
"""MiB that the process of a target may take."""
_RUNS = re.compile(r"number_of_executed_units: (\d+)")


def guided(target: Target, seconds: int, seed: int) -> tuple[int, bytes | None, str]:
    """Fuzz with atheris in a process of its own; return as `search` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = folder / "corpus"
        kept.mkdir()
        for number, data in enumerate(target.inputs):
            (kept / str(number)).write_bytes(data)
        words = [each[:64] for each in target.words]
        lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words]
        (folder / "words").write_text("".join(lines))
        command = [
            *(sys.executable, "-m", "tests.fuzz.guided", target.name, str(kept)),
            *(f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SLOW}"),
            *(f"-rss_limit_mb={MEMORY}", f"-max_len={MAX_BYTES}", f"-dict={folder / 'words'}"),
            *(f"-artifact_prefix={folder}/", "-print_final_stats=1"),
        ]
        done = subprocess.run(command, capture_output=True, check=False)
        told = (done.stdout + done.stderr).decode(errors="replace")
        found = next((each for each in folder.iterdir() if "-" in each.name), None)
        runs = _RUNS.search(told)
        tried = int(runs[1]) if runs else 0
        if not done.returncode:
            return tried, None, ""
        return tried, None if found is None else found.read_bytes(), _reason(told)


def _reason(told: str) -> str:
    """Return the traceback in what atheris printed, else its end."""
    begin = told.find("=== Uncaught Python exception")
    return told[begin:].split("\n\n", maxsplit=1)[0] if begin >= 0 else told[-1500:]


def main() -> int:
    """Fuzz, print a line for each target, and return 1 if one crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}")
    told = parser.parse_args()
    if unknown := set(told.names) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    has_atheris = find_spec("atheris") is not None
    engine = "atheris" if has_atheris else "Hypothesis, because atheris is not installed"
    print(f"{told.seconds} s a target by {engine}; seed {told.seed}", flush=True)
    failed = False
    for name in told.names or TARGETS:
        tried, crash, why = (guided if has_atheris else search)(
            TARGETS[name], told.seconds, told.seed
        )
        failed |= bool(why)
        print(f"{name:<16} {tried:>10,} inputs  {'CRASH' if why else 'no crash'}", flush=True)
        if why:
            print(why)
            line = "" if crash is None else write_input(crash)
            print(f"add this line to {CORPUS / name}.txt, and mend what it shows:\n{line}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
