"""Processes measured, and figures printed."""

import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path


class Run:
    """A command that has ended: its output, and what it cost."""

    def __init__(self, command, **options):
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, **options)
            error = process.stderr.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stderr.close()
            out.seek(0)
            self.output = out.read().decode()
        assert process.returncode == 0, (command, error.decode()[-2000:])
        self.cpu = used.ru_utime + used.ru_stime
        self.peak_mb = used.ru_maxrss / 1024


class Live:
    """A process that goes on: what it costs meanwhile."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def cpu(self):
        """Return the CPU seconds used so far."""
        row = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(row[11]) + int(row[12])) / os.sysconf("SC_CLK_TCK")

    def share(self, seconds):
        """Return the share of a core used in the next *seconds*, in per cent."""
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return 100 * (self.cpu() - before) / (time.monotonic() - began)

    def rss_mb(self):
        """Return the memory it holds."""
        rows = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmRSS"))


def free_port():
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def machine():
    """Return what this was measured on, in a line."""
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    models = [row.split(":")[1].strip() for row in rows if row.startswith("model name")]
    day = datetime.now(UTC).date()
    return f"{day}, {len(models)} x {models[0]}, Python {platform.python_version()}"


class Bars:
    """
    Figures beside their bars.

    A bar is a ratio to a peer that was measured in the same run, or a size. Times, rates and
    shares of a core depend on the machine: they are printed without a bar.
    """

    def __init__(self):
        self.missed = False

    @staticmethod
    def tell(what, figure):
        """Print a figure that has no bar."""
        print(f"{what:<58} {figure:>16}   no bar", flush=True)

    def ratio(self, what, ours, peer, *, at_least=None, at_most=None):
        """Print *ours* divided by *peer*, and whether it keeps its bar."""
        found = ours / peer
        if at_least is not None:
            self.show(what, f"{found:.2f}x", f">= {at_least}x", well=found >= at_least)
        elif at_most is not None:
            self.show(what, f"{found:.2f}x", f"<= {at_most}x", well=found <= at_most)
        else:
            self.tell(what, f"{found:.2f}x")

    def show(self, what, figure, bar, *, well):
        """Print a figure, its bar, and whether it keeps the bar."""
        self.missed |= not well
        print(f"{what:<58} {figure:>16}   {bar:<14} {'yes' if well else 'NO'}", flush=True)

    def end(self):
        """End the process, with code 1 if a bar was missed."""
        sys.exit(self.missed)
