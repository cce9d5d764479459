"""All that is published but the image, made by `make packages`."""

import subprocess
import tarfile
import zipfile

import pytest
import yaml

from exporter import __version__
from tests.fakes.charts import ROOT, helm

pytestmark = pytest.mark.slow


def test_packages_have_one_version_and_can_be_used(tmp_path):
    helm()
    # The virtual environment that runs this test is not made anew by it.
    command = ["make", "--old-file=.venv/.made", "packages", f"DIST={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    name = f"clusterset-exporter-{__version__}"
    wheel = f"clusterset_exporter-{__version__}-py3-none-any.whl"
    sdist = f"clusterset_exporter-{__version__}.tar.gz"
    assert {path.name for path in tmp_path.iterdir()} == {
        wheel,
        sdist,
        *(f"{name}.{ending}" for ending in ("tgz", "yaml", "cdx.json")),
    }
    assert "exporter/__main__.py" in zipfile.ZipFile(tmp_path / wheel).namelist()
    with tarfile.open(tmp_path / f"{name}.tgz") as chart:
        about = yaml.safe_load(chart.extractfile("clusterset-exporter/Chart.yaml"))
        assert about["version"] == about["appVersion"] == __version__
        assert "clusterset-exporter/files/rules/local.yaml.tpl" in chart.getnames()
    # The Namespace first, so that one apply does.
    first, *rest = yaml.safe_load_all((tmp_path / f"{name}.yaml").read_text())
    assert first["kind"] == "Namespace"
    assert "Deployment" in {each["kind"] for each in rest}
