"""What is published is summed, and signed only if there is a key; the pipeline signs by digest."""

import hashlib
import json
import os
import re
import subprocess

import pytest
import yaml

from tests.fakes.charts import ROOT

SIGN = ROOT / "deploy" / "sign"
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
DIGEST = f"registry.example.com/clusterset-exporter@sha256:{'0' * 64}"
COSIGN = """#!/bin/sh
echo "$@" >>"$CALLS"
while [ $# -gt 0 ]; do [ "$1" != --bundle ] || echo signature >"$2"; shift; done
"""


@pytest.fixture
def dist(tmp_path):
    made = tmp_path / "dist"
    made.mkdir()
    (made / "a.whl").write_bytes(b"a")
    (made / "b.tgz").write_bytes(b"b")
    return made


def sign(dist, *, cosign=True, **environment):
    calls = dist.parent / "calls"
    tools = dist.parent / "tools"
    tools.mkdir(exist_ok=True)
    if cosign:
        (tools / "cosign").write_text(COSIGN)
        (tools / "cosign").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SIGN, dist],
        env={"PATH": f"{tools}:{os.defpath}", "CALLS": str(calls), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_without_a_key_there_are_sums_and_a_word_that_nothing_is_signed(dist):
    done, calls = sign(dist)
    assert (done.returncode, calls) == (0, [])
    assert "nothing is signed, because COSIGN_KEY names no key" in done.stderr
    assert {path.name for path in dist.iterdir()} == {"a.whl", "b.tgz", "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert sums == {
        name: hashlib.sha256(name[0].encode()).hexdigest() for name in ("a.whl", "b.tgz")
    }


def test_with_a_key_the_sums_are_signed_and_the_image_by_its_digest(dist):
    done, calls = sign(dist, COSIGN_KEY="cosign.key", IMAGE_DIGEST=DIGEST)
    assert done.returncode == 0, done.stderr
    bundle = "--bundle SHA256SUMS.sigstore.json"
    assert calls == [
        f"sign-blob --yes --key cosign.key {bundle} SHA256SUMS",
        f"sign --yes --key cosign.key {DIGEST}",
    ]
    # Again: the signature is no file that is summed.
    _, again = sign(dist, COSIGN_KEY="cosign.key")
    assert len(again) == 3
    assert "sigstore" not in (dist / "SHA256SUMS").read_text()


def test_a_tag_is_not_signed_because_it_can_move(dist):
    done, calls = sign(dist, COSIGN_KEY="k", IMAGE_DIGEST="registry.example.com/x:1.0")
    assert done.returncode == 1
    assert "has no digest, and a tag can move" in done.stderr
    assert not [call for call in calls if call.startswith("sign ")]


def test_a_key_without_cosign_is_a_failure_and_not_silence(dist):
    done, _ = sign(dist, cosign=False, COSIGN_KEY="k")
    assert done.returncode == 1
    assert "cosign is not installed" in done.stderr


def steps():
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return job, job["steps"]


def test_the_pipeline_has_few_rights_and_no_key():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    job, _ = steps()
    assert workflow["permissions"] == {}
    assert set(job["permissions"]) == {"contents", "packages", "id-token", "attestations"}
    assert set(re.findall(r"secrets\.(\w+)", WORKFLOW.read_text())) == {"GITHUB_TOKEN"}
    # What somebody else wrote, such as the title of a pull request, is no part of a script.
    for each in steps()[1]:
        assert "${{" not in each.get("run", "")


def test_the_pipeline_builds_by_digest_and_signs_the_digest():
    every = steps()[1]
    build = next(each for each in every if "build-push" in each.get("uses", ""))
    for name in ("BASE=${{ steps.bases.outputs.base }}", "BUILD_BASE="):
        assert name in build["with"]["build-args"]
    runs = "\n".join(each.get("run", "") for each in every)
    assert 'cosign sign --yes "$IMAGE@$DIGEST"' in runs
    assert "cosign verify" in runs
    assert "deploy/image/check.py" in runs
    provenance = [each for each in every if "attest-build-provenance" in each.get("uses", "")]
    assert "subject-digest" in provenance[0]["with"]
    assert provenance[1]["with"] == {"subject-checksums": "dist/SHA256SUMS"}


def test_actions_have_a_version_and_renovate_pins_them_and_the_bases():
    for each in steps()[1]:
        if "uses" in each:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", each["uses"])
    presets = json.loads((ROOT / ".github" / "renovate.json").read_text())["extends"]
    assert {"docker:pinDigests", "helpers:pinGitHubActionDigests"} <= set(presets)
