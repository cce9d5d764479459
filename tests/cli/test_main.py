"""The command line as a newcomer meets it."""

import json
import subprocess
import sys

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from exporter import __version__
from exporter.cli.main import cli
from tests.fakes.files import CONFIG, INVENTORY, write

COMMANDS = [
    [],
    ["run"],
    ["demo"],
    ["analyze"],
    ["check"],
    ["drill"],
    ["report"],
    ["config"],
    ["probe-key"],
    *([["config", c] for c in ("check", "schema", "show")]),
]


def call(*arguments):
    return CliRunner().invoke(cli, [*map(str, arguments)], prog_name="clusterset-exporter")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_command_explains_itself(command, flag):
    done = call(*command, flag)
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: clusterset-exporter")
    assert len(done.stdout.splitlines()) > 5


def test_flags_have_environment_variables():
    text = call("run", "--help").stdout
    for variable in (
        "CLUSTERSET_EXPORTER_CONFIG_FILE",
        "CLUSTERSET_EXPORTER_CLUSTER, CLUSTER_NAME",
        "CLUSTERSET_EXPORTER_WEB_LISTEN_ADDRESS",
        "CLUSTERSET_EXPORTER_WEB_TELEMETRY_PATH",
        "CLUSTERSET_EXPORTER_LOG_LEVEL",
        "CLUSTERSET_EXPORTER_LOG_FORMAT",
    ):
        assert variable in " ".join(text.split())
    assert "default: :9877" in text


def test_version():
    assert call("--version").stdout == f"clusterset-exporter, version {__version__}\n"


def test_as_a_module_and_as_a_script_it_is_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"clusterset-exporter, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rnu"], "No such command"),
        (["config", "check"], "Missing option '--config.file'"),
        (["run", "--shard", "3/3"], "--shard: '3/3' is not a shard; write for example 0/3"),
        (["run", "--kubeconfig", "absent"], "absent: no such file; give --kubeconfig"),
        (["run", "--config.file", "x", "--log.level", "loud"], "'loud' is not one of"),
        (["drill", "nginx"], "nginx: should be namespace/name"),
        (["drill", "a/b", "--timeout", "0s"], "--timeout: 0s should be more than 0"),
        (["drill", "a/b", "--timeout", "soon"], "--timeout: "),
        (["report"], "Missing option '--prometheus'"),
        (["report", "--prometheus", "prometheus:9090"], "--prometheus: should be a URL such as"),
        (["report", "--prometheus", "http://x", "--objective", "2 nines"], "'2 nines' should be"),
        (["report", "--prometheus", "http://x", "--since", "250ms"], "250ms is too short"),
        (
            ["report", "--prometheus", "http://x", "--output", "absent/x.html"],
            "--output: absent: there is no such folder",
        ),
        (["demo", "--clusters", "9"], "9 is not in the range 2<=x<=3"),
        (["analyze", "--cluster", "east", "x.log"], "Missing option '--inventory'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, told):
    done = call(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    "command", [["run"], ["check", "nginx-test/nginx"], ["drill", "nginx-test/nginx"]]
)
@pytest.mark.parametrize("flag", ["--kubeconfig", "--context"])
def test_an_api_server_that_is_not_asked_cannot_be_named(tmp_path, command, flag):
    done = call(*command, "--config.file", write(tmp_path), flag, "x")
    assert done.exit_code == 2
    told = f"{flag}: the inventory is {tmp_path}/inventory.yaml, so no API server is asked; leave "
    assert told in done.stderr


def test_the_schema_is_json_that_describes_the_configuration():
    schema = json.loads(call("config", "schema").stdout)
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(CONFIG))


def test_the_schema_of_the_inventory_describes_the_inventory():
    schema = json.loads(call("config", "schema", "--inventory").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(yaml.safe_load(INVENTORY))
    assert not validator.is_valid(yaml.safe_load(CONFIG))


def test_show_prints_what_takes_effect(tmp_path):
    done = call("config", "show", "--config.file", write(tmp_path))
    assert done.exit_code == 0
    shown = yaml.safe_load(done.stdout)
    assert shown["leak_grace"] == "30s"
    assert shown["probe"]["interval"] == "1s"


def test_show_refuses_what_is_wrong(tmp_path):
    done = call("config", "show", "--config.file", write(tmp_path, config="x: 1\n"))
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("nginx", "nginx: should be namespace/name"),
        ("shop/cart", "inventory.yaml; known are nginx-test/nginx"),
        ("nginx-test/nginx", "nginx-test/nginx is not probed: probe.services says enabled: false"),
    ],
)
def test_check_refuses_what_it_cannot_look_at(tmp_path, service, told):
    off = CONFIG.replace("probe: {", 'probe: {services: [{match: "*/*", enabled: false}], ')
    done = call("check", "--config.file", write(tmp_path, config=off), service)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_check_of_a_service_that_nobody_serves(tmp_path):
    done = call("check", "--config.file", write(tmp_path), "nginx-test/nginx")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "nginx-test/nginx is served to nobody in east."
    assert "no address (unreachable, no reply)" in done.stdout


def test_a_daemon_does_not_hold_the_library_of_tables():
    program = (
        "import sys; from exporter.cli.main import cli; cli.get_command(None, 'run')\n"
        "import exporter.commands.run.process\n"
        "print('structlog' in sys.modules, 'rich' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "True False\n"


@pytest.mark.parametrize("group", [[], ["config"]])
def test_no_command_is_described_by_half_a_sentence(group):
    done = CliRunner().invoke(cli, [*group, "--help"], terminal_width=80)
    assert "..." not in done.stdout.partition("Commands:")[2]
