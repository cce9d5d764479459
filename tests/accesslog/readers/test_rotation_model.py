"""
Whatever happens to a log file between two looks, what is read is what was written.

Hypothesis writes, half writes, renames, cuts, deletes, makes anew, flips links and restarts the
reader, in any order; after each step that could make lines unknowable the reader looks first.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.accesslog.checkpoint import Checkpoint, FilePlaces
from exporter.accesslog.readers.files import LINGER, Follower
from tests.fakes.depth import examples


class Rotation(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "access.log"
        self.files = []
        self.file = self.open()
        self.old = []
        self.keeper = Checkpoint(self.folder / "state", "x", FilePlaces)
        self.now, self.number = 0.0, 0
        self.written, self.read = set(), []
        self.half = {}
        self.begin()

    def open(self):
        self.files.append(self.log.open("ab", buffering=0))
        return self.files[-1]

    def begin(self):
        saved = self.keeper.load()
        places = None if saved is None else saved[0]
        self.follower = Follower([str(self.log)], places)
        self.look()

    def look(self, after=2.0):
        self.now += after
        poll = self.follower.poll(self.now)
        assert not poll.errors
        for _, lines in poll.blocks:
            self.read += lines.decode().splitlines()

    def write_to(self, file, *, whole):
        """Write a line, or the beginning of one; a half line's end comes first."""
        self.number += 1
        line = self.half.pop(file, None)
        if line is None:
            line = f"line-{self.number}"
            if not whole:
                self.half[file] = line
                file.write(line[:3].encode())
                return
            file.write(f"{line}\n".encode())
        else:
            file.write(f"{line[3:]}\n".encode())
        self.written.add(line)

    @rule(times=st.integers(1, 5))
    def write(self, times):
        for _ in range(times):
            self.write_to(self.file, whole=True)

    @rule()
    def half_write(self):
        self.write_to(self.file, whole=False)

    @rule()
    def read_now(self):
        self.look()

    @rule()
    def read_at_once_again(self):
        self.look(after=0.01)

    @rule()
    def rename_and_create(self):
        # A file renamed twice before it was seen at all would be lost to anybody.
        self.look()
        self.number += 1
        self.log.rename(self.folder / f"access.log.{self.number}")
        self.old.append((self.file, self.now))
        self.file = self.open()

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def write_late(self, data):
        file, since = data.draw(st.sampled_from(self.old))
        if self.now - since < LINGER - 3:
            self.write_to(file, whole=True)

    @rule()
    def copytruncate(self):
        # What was not read before the cut is lost to anybody; so is a half line.
        self.look()
        self.half.pop(self.file, None)
        shutil.copy(self.log, self.folder / "copy")
        os.truncate(self.log, 0)

    @rule()
    def delete_and_create(self):
        self.look()
        self.log.unlink()
        self.old.append((self.file, self.now))
        self.file = self.open()

    @rule()
    def flip_a_link(self):
        self.look()
        self.number += 1
        target = self.folder / f"target-{self.number}"
        target.touch()
        if self.log.is_symlink():
            self.log.unlink()
        else:
            self.log.rename(self.folder / f"access.log.{self.number}")
        self.log.symlink_to(target)
        self.old.append((self.file, self.now))
        self.file = self.open()

    @rule()
    def restart(self):
        # Renamed files are found again in their folder; deleted ones and link targets elsewhere
        # have no name there, so their last lines have to be read first.
        self.look()
        self.keeper.save((self.follower.places(), {}))
        self.follower.close()
        visible = {path.stat().st_ino for path in self.folder.iterdir() if path.is_file()}
        self.old = [each for each in self.old if os.fstat(each[0].fileno()).st_ino in visible]
        saved = self.keeper.load()
        self.keeper.save(([place for place in saved[0] if place.inode in visible], {}))
        self.begin()

    @invariant()
    def nothing_is_read_twice_or_made_up(self):
        assert len(self.read) == len(set(self.read))
        assert set(self.read) <= self.written

    def teardown(self):
        self.look()
        self.look()
        missing = self.written - set(self.read)
        self.follower.close()
        for file in self.files:
            file.close()
        shutil.rmtree(self.folder)
        assert not missing


Rotation.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40)
TestRotation = Rotation.TestCase
