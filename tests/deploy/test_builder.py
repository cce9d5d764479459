"""How the image is built: by what works here, and for the platform that was asked for."""

import os
import re
import subprocess

import pytest

from tests.fakes.charts import ROOT

BUILD = ROOT / "deploy" / "image" / "build"
DEAD = "exit 1"
WORKS = '[ "$1" != build ] || echo "$(basename "$0")" "$@"'


def run(folder, programs, **environment):
    for name, script in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", BUILD, "--tag", "x", "."],
        env={"PATH": f"{folder}:{os.defpath}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("programs", "environment", "built"),
    [
        ({"docker": WORKS, "podman": WORKS}, {}, "docker build --tag x .\n"),
        ({"docker": DEAD, "podman": DEAD, "buildah": WORKS}, {}, "buildah build --tag x .\n"),
        ({"docker": WORKS, "buildah": WORKS}, {"BUILDER": "buildah"}, "buildah build --tag x .\n"),
    ],
    ids=["the first", "the first that works", "the one that is asked for"],
)
def test_who_builds(programs, environment, built, tmp_path):
    done = run(tmp_path, programs, **environment)
    assert (done.returncode, done.stdout) == (0, built), done.stderr


def test_nobody_can_build(tmp_path):
    done = run(tmp_path, {"docker": DEAD, "podman": DEAD, "buildah": DEAD})
    assert done.returncode == 1
    assert "install docker with buildx and start its daemon, or install podman" in done.stderr


def test_the_platform_has_no_default():
    """BuildKit takes a default for the platform that was asked for: docker/buildx#510."""
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG (TARGET\S+)$", text, re.MULTILINE) == ["TARGETARCH"]


def test_the_bases_are_one_debian_and_the_wheels_are_for_its_python():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG BUILD_BASE=docker\.io/library/debian:13-slim(@|$)", text, re.MULTILINE)
    assert re.search(
        r"^ARG BASE=gcr\.io/distroless/python3-debian13:nonroot(@|$)", text, re.MULTILINE
    )
    assert "--python-version 3.13 --implementation cp --abi cp313 " in text


def test_bases_are_arguments():
    text = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (?:--platform=\S+ )?(\S+)", text, re.MULTILINE)
    assert stages == ["${BUILD_BASE}", "${BASE}"]
