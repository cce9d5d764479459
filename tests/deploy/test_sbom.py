"""The bill of materials names what the image installs."""

import json
import re
import subprocess
import sys

from exporter import __version__
from tests.fakes.charts import ROOT


def test_it_has_each_pinned_requirement_with_its_hashes():
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "sbom.py"], capture_output=True, text=True, check=True
    )
    bom = json.loads(done.stdout)
    assert (bom["bomFormat"], bom["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    lock = (ROOT / "requirements" / "run.txt").read_text()
    pinned = dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))
    assert {each["name"]: each["version"] for each in bom["components"]} == pinned
    assert [each["name"] for each in bom["components"] if not each.get("licenses")] == []
    hashes = [
        made["content"]
        for each in bom["components"]
        for made in each["externalReferences"][0]["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]+)", lock))
