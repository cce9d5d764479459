"""Print what the image holds beside its base, as CycloneDX JSON, from the lock file."""

import json
import re
import sys
from pathlib import Path

import exporter

LOCK = Path(__file__).parents[1] / "requirements" / "run.txt"
_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\]+?))? *")


def components(lock: str) -> list[dict[str, object]]:
    """Return a component for each pinned requirement, with the hashes of all its files."""
    found: list[dict[str, object]] = []
    hashes: list[dict[str, str]] = []
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            hashes = []
            purl = f"pkg:pypi/{pin[1]}@{pin[2]}"
            reference = {"type": "distribution", "url": purl, "hashes": hashes}
            about = {"type": "library", "bom-ref": purl, "name": pin[1], "version": pin[2]}
            found.append({**about, "purl": purl, "externalReferences": [reference]})
        elif "--hash=sha256:" in line:
            hashes.append({"alg": "SHA-256", "content": line.split("sha256:")[1].strip(" \\")})
    return found


def bom() -> dict[str, object]:
    """Return the bill of materials; the same for the same lock file."""
    own = f"pkg:pypi/clusterset-exporter@{exporter.__version__}"
    parts = components(LOCK.read_text())
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
    json.dump(bom(), sys.stdout, indent=1)
    sys.stdout.write("\n")
