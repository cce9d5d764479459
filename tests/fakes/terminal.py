"""A real pseudo-terminal with a program on it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STARTED = b"started\r\n"
CODE = """\
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from exporter.__main__ import main
try:
    print("started", flush=True)
    main()
except KeyboardInterrupt:
    sys.exit(130)
"""
"""The program. It says when Python itself has started, because Ctrl-C before that is Python's."""


class Terminal:
    """
    The program on a terminal of so many columns; its output is read all the time.

    Args:
        arguments: Of the command line.
        columns: Width of the terminal, set in the kernel; no variable says it.
        stderr: As for `subprocess.Popen`; None: the terminal.
    """

    def __init__(self, *arguments, columns=80, stderr=None):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        hidden = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"}
        env = {k: v for k, v in os.environ.items() if k not in hidden} | {"TERM": "xterm"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave if stderr is None else stderr,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        self._came, self._more = b"", threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                piece = b""
            with self._more:
                self._came += piece
                self._more.notify_all()
            if not piece:
                return

    def wait_for(self, text, within=60):
        """Wait until *text* was printed."""
        with self._more:
            assert self._more.wait_for(lambda: text in self._came, within), self._came

    def type(self, keys):
        """Type *keys*, as bytes."""
        os.write(self._master, keys)

    def end(self, within=60):
        """Wait for the end of the program; return its exit code and its output without colours."""
        code = self.process.wait(within)
        self._reader.join(within)
        os.close(self._master)
        _, _, printed = self._came.partition(STARTED)
        return code, ESCAPES.sub("", printed.decode()).replace("\r\n", "\n")
