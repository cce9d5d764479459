"""The image, built by buildah on a Debian of debootstrap."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from exporter import __version__
from tests.fakes.tools import need

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BASES = CACHE / "clusterset-exporter" / "tools" / "trixie"


class Store:
    """Images of buildah in a folder of ours."""

    def __init__(self, folder):
        self.folder = folder
        self._options = ["--root", folder / "s", "--runroot", folder / "r"]

    def __call__(self, *arguments):
        command = [need("buildah"), *self._options, "--storage-driver", "vfs", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def base(self, name, tar, *options):
        container = self("from", *options, "scratch")
        self("add", "--quiet", container, BASES / f"{tar}.tar", "/")
        self("commit", "--quiet", container, f"localhost/{name}")
        self("rm", container)

    def build(self, name, *options, base="localhost/final"):
        given = ("--build-arg", f"VERSION={__version__}", *self.options(base), *options)
        self("bud", *given, "--tag", name, ROOT)

    @property
    def environment(self):
        """Return the environment in which buildah uses this folder."""
        config = self.folder / "storage.conf"
        config.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/s"\n'
            f'runroot = "{self.folder}/r"\n'
        )
        return os.environ | {"CONTAINERS_STORAGE_CONF": str(config), "BUILDER": "buildah"}

    def export(self, name, to):
        """Write all files of an image into one archive."""
        script = ROOT / "deploy" / "image" / "export"
        subprocess.run(["sh", script, name, to], env=self.environment, check=True)

    def make(self, name, base):
        """Have `make image` build it."""
        done = self._make(name, base, "image")
        assert done.returncode == 0, done.stderr[-3000:]

    def release(self, name, base, to):
        """Have `make release` make all that is published."""
        # The virtual environment that runs this test is not made anew by it.
        return self._make(name, base, "--old-file=.venv/.made", "release", f"DIST={to}")

    def _make(self, name, base, *targets):
        options = " ".join(self.options(base))
        return subprocess.run(
            ["make", *targets, f"IMAGE={name}", f"IMAGE_OPTIONS={options}"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def options(self, base):
        # What the machine itself needs to reach an index of packages.
        mine = [path for path in ("/etc/ssl/certs", "/etc/pip.conf") if Path(path).exists()]
        return (
            *("--isolation", "chroot", "--network", "host", "--pull-never"),
            *("--build-arg", "BUILD_BASE=localhost/build", "--build-arg", f"BASE={base}"),
            *(part for path in mine for part in ("--volume", f"{path}:{path}:ro")),
        )

    def mount(self, name, *options):
        return Path(self("mount", self("from", "--pull-never", *options, name)))

    def about(self, name):
        return json.loads(self("inspect", "--type", "image", name))


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    need("buildah")
    need("debootstrap")
    if os.geteuid():
        pytest.skip("debootstrap and chroot need root")
    subprocess.run([Path(__file__).parent / "build-base", BASES], check=True)
    made = Store(tmp_path_factory.mktemp("images"))
    made.base("build", "build")
    made.base("final", "final")
    yield made
    made("umount", "--all")


@pytest.fixture(scope="session")
def image(store):
    """Return the root of the image's file system."""
    store.build("localhost/exporter")
    return store.mount("localhost/exporter")


@pytest.fixture
def inside(image):
    """
    Return the command that runs another in the image, as a pod does: on a root it cannot write.

    *shown* is a folder at /mnt that can be read, and *state* is one at /srv that can be written.
    """

    def command(*arguments, shown=None, state=None, user="65532:65532"):
        shows = f'mount --bind -o ro "{shown}" "{image}/mnt" &&' if shown else ""
        keeps = f'mount --bind "{state}" "{image}/srv" &&' if state else ""
        script = (
            f'mount --bind "{image}" "{image}" && {shows} {keeps}'
            f' mount -o remount,ro,bind "{image}" && cd "{image}"'
            f' && exec chroot --userspec={user} "{image}" "$@"'
        )
        return [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", script, "sh", *arguments),
        ]

    return command
