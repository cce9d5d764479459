"""analyze chooses a format by the first lines, says which, and notices one that does not fit."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli.main import cli
from tests.fakes.files import INVENTORY, line

DATA = Path(__file__).parents[1] / "data" / "gateways"
NOISE = "/docker-entrypoint.sh: launching something or other, and telling about it\n"


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY)
    return path


def analyze(inventory, *arguments, data=None):
    command = ["analyze", "--inventory", str(inventory), "--cluster", "east"]
    service = ["--service", "nginx-test/nginx"]
    return CliRunner().invoke(cli, [*command, *service, *map(str, arguments)], input=data)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("apache-combined", "apache"),
        ("apache-common", "apache"),
        ("caddy", "caddy"),
        ("envoy", "envoy"),
        ("envoy-gateway", "envoy-gateway"),
        ("haproxy", "haproxy"),
        ("ingress-nginx", "ingress-nginx"),
        ("istio", "istio"),
        ("nginx-combined", "combined"),
        ("nginx-main", "main"),
        ("traefik", "traefik"),
        ("traefik-json", "traefik-json"),
    ],
)
def test_each_servers_format_is_chosen(inventory, name, form):
    path = DATA / f"{name}.log"
    done = analyze(inventory, "--json", "--strict", path)
    assert (done.exit_code, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["formats"] == {str(path): {"format": form, "wrapper": "none"}}
    assert report["lines"]["other"] == 0
    done = analyze(inventory, path)
    assert f"format {form}, by the first lines: {path}" in done.stderr


def test_each_file_has_its_own_format(tmp_path, inventory):
    (tmp_path / "noise.log").write_text(NOISE * 3000 + line("10.1.0.1") * 3)
    cri = "2022-07-07T07:42:11.1Z stdout F " + line("10.1.0.1")
    (tmp_path / "pod.gz").write_bytes(gzip.compress(cri.encode() * 2))
    files = (tmp_path / "noise.log", DATA / "caddy.log", tmp_path / "pod.gz", "-")
    done = analyze(inventory, "--json", *files, data=line("10.1.0.1"))
    report = json.loads(done.stdout)
    assert [each["format"] for each in report["formats"].values()] == [
        "main",
        "caddy",
        "main",
        "main",
    ]
    assert report["formats"][str(tmp_path / "pod.gz")]["wrapper"] == "cri"
    assert report["lines"]["access"] == 3 + 17 + 2 + 1
    assert report["lines"]["other"] == 3000


def test_a_wrong_format_is_a_warning_and_with_strict_an_exit_code(inventory):
    path = DATA / "nginx-main.log"
    for strict, code in (([], 0), (["--strict"], 1)):
        done = analyze(inventory, "--format", "json", *strict, path)
        assert done.exit_code == code
        assert done.stderr == (
            f"clusterset-exporter: {path}: 19 of 19 lines are no access lines in the format here; "
            "the format main reads 19 of 19 of them\n"
        )
    report = json.loads(analyze(inventory, "--format", "json", "--json", path).stdout)
    assert len(report["warnings"]) == 1


def test_what_no_preset_reads_is_a_warning(tmp_path, inventory):
    (tmp_path / "x.log").write_text(NOISE * 5)
    done = analyze(inventory, "--strict", tmp_path / "x.log")
    assert done.exit_code == 1
    assert "5 of 5 lines are no access lines in the format here, and no preset reads" in done.stderr


def test_noise_beside_access_lines_is_no_wrong_format(tmp_path, inventory):
    (tmp_path / "x.log").write_text(NOISE * 5 + line("10.1.0.1"))
    done = analyze(inventory, "--strict", "--format", "main", tmp_path / "x.log")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_chosen_format_without_a_time_is_named(inventory):
    done = analyze(inventory, "--every", "1m", DATA / "haproxy.log")
    assert done.exit_code == 2
    assert "--format: haproxy has no $time_local" in done.stderr


def test_the_parts_of_a_large_file_have_the_format_of_its_first_lines(tmp_path, inventory):
    text = line("10.1.0.1") * 200_000
    size = len(line("10.1.0.1"))
    # A line that Apache wrote would be read in another format if each part chose for itself.
    odd = line("10.1.0.1").replace(" 615 ", " - ").replace(' "-"\n', "\n")
    (tmp_path / "a.log").write_text(text[: 180_000 * size] + odd * 3 + text[: 20_000 * size])
    one, two = (
        json.loads(analyze(inventory, "--json", "--jobs", jobs, tmp_path / "a.log").stdout)
        for jobs in (1, 2)
    )
    assert one == two
    assert one["formats"][str(tmp_path / "a.log")]["format"] == "main"
    assert (one["lines"]["access"], one["lines"]["other"]) == (200_000, 3)
