"""What is looked for in the files of an image, and what is read of its packages."""

import importlib.util
import io
import tarfile

import pytest

from tests.fakes.charts import ROOT


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def archive(*members):
    """Return an archive of (name, mode or text or target of a link) pairs, owned by root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, what in members:
            info = tarfile.TarInfo(f"./{name}")
            content = what.encode() if isinstance(what, str) else b""
            info.mode, info.size = what if isinstance(what, int) else 0o644, len(content)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(what, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, what[0]
            made.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("usr/bin/su", 0o4755, "has the setuid or setgid bit"),
        ("usr/bin/chage", 0o2755, "has the setuid or setgid bit"),
        ("etc/x", 0o666, "everybody may write to it"),
        ("srv/", 0o777, "everybody may write to it"),
        ("app/x.py", 0o664, "others than root may change it"),
        ("usr/bin/pip3", 0o755, "installs, builds or fetches"),
    ],
)
def test_what_should_not_be_in_an_image(name, mode, told):
    check = script(ROOT / "deploy" / "image" / "check.py")
    with archive((name, mode)) as made:
        assert list(check.findings(made)) == [f"{name.strip('/')}: {told}"]


def test_what_an_image_may_have():
    check = script(ROOT / "deploy" / "image" / "check.py")
    may = (
        ("tmp/", 0o1777),
        ("var/mail/", 0o2755),
        ("usr/bin/python3", 0o755),
        ("app/x.py", 0o644),
        ("bin", ("usr/bin",)),
    )
    with archive(*may) as made:
        assert list(check.findings(made)) == []


RELEASE = ("usr/lib/os-release", 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n')
LIBC = "Package: libc6\nStatus: install ok installed\nArchitecture: arm64\nVersion: 2.41-12\n"
SSL = "Package: libssl3t64\nArchitecture: arm64\nVersion: 3.5.1-1\nDescription: x\n  Package: y\n"
COPYRIGHT = "Format: https://x\n\nFiles: *\nLicense: LGPL-2.1+\n\nLicense: GPL-2+\n"
DOC = "usr/share/doc"


@pytest.mark.parametrize(
    "status",
    [
        [("var/lib/dpkg/status", f"{LIBC}\n{SSL}")],
        [
            ("var/lib/dpkg/status.d/libc6", LIBC),
            ("var/lib/dpkg/status.d/libc6.md5sums", "0 usr/lib/x\n"),
            ("var/lib/dpkg/status.d/libssl3t64", SSL),
        ],
    ],
    ids=["dpkg", "distroless"],
)
def test_packages_of_a_base(status):
    packages = script(ROOT / "deploy" / "debian_packages.py")
    documents = (
        (f"{DOC}/libc-common/copyright", COPYRIGHT),
        (f"{DOC}/libc6", ("libc-common",)),
        (f"{DOC}/libssl3t64/copyright", "See /usr/share/common-licenses/Apache-2.0.\n"),
    )
    with archive(RELEASE, *status, *documents) as made:
        release, found = packages.read(made)
    assert release == "debian-13"
    assert [(each.name, each.version, each.arch, each.licences) for each in found] == [
        ("libc6", "2.41-12", "arm64", ("LGPL-2.1+", "GPL-2+")),
        ("libssl3t64", "3.5.1-1", "arm64", ("Apache-2.0",)),
    ]
