"""The Debian packages of an image, by the files that dpkg or distroless keep about them."""

import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

_STATUS = "var/lib/dpkg/status"
"""One file with all packages. Distroless has a folder with a file for each: status.d."""
_DOC = re.compile(r"usr/share/doc/([^/]+)")
_COPYRIGHT = re.compile(rf"{_DOC.pattern}/copyright")
_LICENCE = re.compile(r"^License: *(\S.*)$", re.MULTILINE)
_COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")
"""How an older copyright file names a licence."""
_FIELD = re.compile(r"^([A-Za-z-]+): *(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of the base."""

    name: str
    version: str
    arch: str
    licences: tuple[str, ...]
    """Names of licences in its copyright file; empty if it names none."""


def read(archive: tarfile.TarFile) -> tuple[str, list[Package]]:
    """Return the release, such as debian-13, and the packages in the files of an image."""
    stanzas: list[str] = []
    licences: dict[str, tuple[str, ...]] = {}
    shared: dict[str, str] = {}
    release = "debian"
    for each in archive:
        name = each.name.removeprefix("./").lstrip("/")
        linked = _DOC.fullmatch(name)
        if linked and each.issym():
            shared[linked[1]] = each.linkname.rpartition("/")[2]
        if not each.isfile() or not _is_wanted(name):
            continue
        text = _text(archive, each)
        if found := _COPYRIGHT.fullmatch(name):
            named = _LICENCE.findall(text) or _COMMON.findall(text)
            licences[found[1]] = tuple(dict.fromkeys(named))
        elif name == "usr/lib/os-release":
            fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            release = "-".join(fields.get(key, "").strip('"') for key in ("ID", "VERSION_ID"))
        else:
            stanzas += text.split("\n\n")
    licences |= {name: licences.get(other, ()) for name, other in shared.items()}
    fields_of = (dict(_FIELD.findall(stanza)) for stanza in stanzas)
    found_packages = {
        fields["Package"]: _package(fields, licences)
        for fields in fields_of
        if {"Package", "Version"} <= fields.keys()
    }
    return release, [found_packages[name] for name in sorted(found_packages)]


def _package(fields: Mapping[str, str], licences: Mapping[str, tuple[str, ...]]) -> Package:
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        arch=fields.get("Architecture", "all"),
        licences=licences.get(fields["Package"], ()),
    )


def _is_wanted(name: str) -> bool:
    one = name.startswith(f"{_STATUS}.d/") and not name.endswith(".md5sums")
    return one or name in {_STATUS, "usr/lib/os-release"} or bool(_COPYRIGHT.fullmatch(name))


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    opened = archive.extractfile(member)
    return "" if opened is None else opened.read().decode(errors="replace")
