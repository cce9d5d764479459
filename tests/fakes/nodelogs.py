"""A node's log files as a kubelet and a container runtime keep them."""

import gzip
import itertools
import shutil
from datetime import UTC, datetime


class NodeLog:
    """The files of one container, each of whose lives has one of its own."""

    _serial = itertools.count(1)

    def __init__(self, node, namespace, pod, container):
        self.name, self.node = f"{pod}_{namespace}_{container}", node
        self.folder = node / "pods" / f"{namespace}_{pod}_0-1-2" / container
        self.folder.mkdir(parents=True)
        self.life, self.links, self.rotated = -1, [], 0
        self.start()

    @property
    def file(self):
        return self.folder / f"{self.life}.log"

    def start(self):
        """Start the container, maybe anew."""
        self.life += 1
        self.file.touch()
        link = self.node / "containers" / f"{self.name}-{next(self._serial):064x}.log"
        link.symlink_to(self.file)
        self.links.append(link)

    def write(self, *texts, whole=True, at=None):
        """Add lines, or a part of one, as a runtime does, by default now; *at* in unix seconds."""
        with self.file.open("a") as file:
            for text in texts:
                now = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
                stamp = f"{now:%Y-%m-%dT%H:%M:%S.%f}000Z"
                file.write(f"{stamp} stdout {'F' if whole else 'P'} {text}\n")

    def rotate(self, removed=None):
        """
        Rename the file, as a kubelet does, and have the runtime begin another.

        If the kubelet *removed* an old one, the file system gives its number to the new one.
        """
        self.rotated += 1
        old = self.file.rename(f"{self.file}.20260102-0304{self.rotated:02}")
        if removed is not None:
            removed.write_bytes(b"")
            removed.rename(self.file)
        self.file.touch()
        return old

    def compress(self, old):
        """Compress a rotated file, as a kubelet does before it rotates the next one."""
        packed = old.with_name(f"{old.name}.gz")
        packed.write_bytes(gzip.compress(old.read_bytes()))
        old.rename(self.node / "removed")
        return self.node / "removed"

    def remove(self):
        """Remove the pod."""
        for link in self.links:
            link.unlink()
        shutil.rmtree(self.folder.parent)


class Node:
    """Their folders on one node."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("containers", "pods"):
            (folder / name).mkdir()

    @property
    def glob(self):
        return str(self.folder / "containers" / "*.log")

    def log(self, namespace, pod, container="app"):
        return NodeLog(self.folder, namespace, pod, container)
