"""The image, built by buildah on a Debian of debootstrap."""

import os
import subprocess
from pathlib import Path

import pytest

from exporter import __version__
from tests.fakes.tools import need

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BASES = CACHE / "clusterset-exporter" / "tools" / "bookworm"


class Store:
    """Images of buildah in a folder of ours."""

    def __init__(self, folder):
        self._options = ["--root", folder / "s", "--runroot", folder / "r"]

    def __call__(self, *arguments):
        command = [need("buildah"), *self._options, "--storage-driver", "vfs", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def base(self, name):
        container = self("from", "scratch")
        self("add", "--quiet", container, BASES / f"{name}.tar", "/")
        self("commit", "--quiet", container, f"localhost/{name}")
        self("rm", container)

    def build(self, name, *options):
        # What the machine itself needs to reach an index of packages.
        mine = [path for path in ("/etc/ssl/certs", "/etc/pip.conf") if Path(path).exists()]
        mounts = [part for path in mine for part in ("--volume", f"{path}:{path}:ro")]
        self(
            *("bud", "--isolation", "chroot", "--network", "host", "--pull-never"),
            *("--build-arg", "BUILD_BASE=localhost/build", "--build-arg", "BASE=localhost/final"),
            *("--build-arg", f"VERSION={__version__}", *mounts, *options, "--tag", name, ROOT),
        )

    def mount(self, name):
        return Path(self("mount", self("from", "--pull-never", name)))


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    need("buildah")
    need("debootstrap")
    if os.geteuid():
        pytest.skip("debootstrap and chroot need root")
    subprocess.run([Path(__file__).parent / "build-base", BASES], check=True)
    made = Store(tmp_path_factory.mktemp("images"))
    made.base("build")
    made.base("final")
    yield made
    made("umount", "--all")


@pytest.fixture(scope="session")
def image(store):
    """Return the root of the image's file system."""
    store.build("localhost/exporter")
    return store.mount("localhost/exporter")


@pytest.fixture
def inside(image):
    """Return the command that runs another in the image: as its user, on a root it cannot write."""

    def command(*arguments, shown=None):
        shows = f'mount --bind -o ro "{shown}" "{image}/mnt" &&' if shown else ""
        script = (
            f'mount --bind "{image}" "{image}" && {shows} mount -o remount,ro,bind "{image}"'
            f' && cd "{image}" && exec chroot --userspec=65532:65532 "{image}" "$@"'
        )
        return [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", script, "sh", *arguments),
        ]

    return command
