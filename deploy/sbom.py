"""
Print what the image holds, as CycloneDX JSON: the pinned packages, and those of its base.

Usage: sbom.py [FILE.tar], with all files of an image as deploy/image/export writes them. Without
it, the packages of the base are left out.
"""

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import debian_packages

import exporter

LOCK = Path(__file__).parents[1] / "requirements" / "run.txt"
_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\]+?))? *")
_CLASSIFIER = "License :: OSI Approved :: "

Component = dict[str, object]


def components(lock: str) -> list[Component]:
    """Return a component for each pinned requirement, with its licence and all files' hashes."""
    found: list[Component] = []
    hashes: list[dict[str, str]] = []
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            hashes = []
            purl = f"pkg:pypi/{pin[1]}@{pin[2]}"
            reference = {"type": "distribution", "url": purl, "hashes": hashes}
            about = {"type": "library", "bom-ref": purl, "name": pin[1], "version": pin[2]}
            references = {"purl": purl, "externalReferences": [reference]}
            found.append({**about, **licences(licence_of(pin[1])), **references})
        elif "--hash=sha256:" in line:
            hashes.append({"alg": "SHA-256", "content": line.split("sha256:")[1].strip(" \\")})
    return found


def licence_of(name: str) -> str:
    """Return the licence of an installed package, by its metadata; empty if it names none."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    expression = about.get("License-Expression")
    if expression:
        return expression
    named = [
        each.removeprefix(_CLASSIFIER)
        for each in about.get_all("Classifier") or ()
        if each.startswith(_CLASSIFIER)
    ]
    text = (about.get("License") or "").strip()
    return " and ".join(named) or (text if "\n" not in text else "")


def licences(text: str) -> Component:
    """Return the key of a component for its licence; none if it is not known."""
    if not text:
        return {}
    if re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", text):
        return {"licenses": [{"expression": text}]}
    return {"licenses": [{"license": {"name": text}}]}


def base(root: Path) -> Iterator[Component]:
    """Yield a component for each Debian package of the image in the archive *root*."""
    with tarfile.open(root) as archive:
        release, packages = debian_packages.read(archive)
    for each in packages:
        version = quote(each.version, safe=":~")
        purl = f"pkg:deb/debian/{each.name}@{version}?arch={each.arch}&distro={release}"
        about = {"type": "library", "bom-ref": purl, "name": each.name, "version": each.version}
        names = [{"license": {"name": name}} for name in each.licences]
        yield {**about, **({"licenses": names} if names else {}), "purl": purl}


def bom(root: Path | None) -> Component:
    """Return the bill of materials; the same for the same lock file and image."""
    own = f"pkg:pypi/clusterset-exporter@{exporter.__version__}"
    parts = components(LOCK.read_text()) + ([] if root is None else list(base(root)))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "clusterset-exporter",
                "version": exporter.__version__,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": own, "dependsOn": [each["bom-ref"] for each in parts]}],
    }


if __name__ == "__main__":
    json.dump(bom(Path(sys.argv[1]) if sys.argv[1:] else None), sys.stdout, indent=1)
    sys.stdout.write("\n")
