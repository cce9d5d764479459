"""What `config check` says of log formats without the host of a request (issue 14.17)."""

import pytest
from click.testing import CliRunner

from exporter.cli.main import cli
from tests.fakes.files import CONFIG, INVENTORY, WITH_HOST, write

WEST = "      - {cluster: west, addresses: [127.0.0.2], ready: true}\n"
MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'
)


def check(path):
    done = CliRunner().invoke(cli, ["config", "check", "--config.file", str(path)])
    assert done.exit_code == 0
    return done.stdout.splitlines()[1:]


def test_config_check_says_which_log_cannot_tell_pinned_requests_from_leaks(tmp_path):
    path = write(tmp_path)
    (told,) = check(path)
    assert told == (
        f"{path}: log {tmp_path}/*.log: the format has no $host, so a request for a pinned name "
        "such as east.nginx.nginx-test.svc.clusterset.local counts as a leak of nginx-test/nginx; "
        "add $host to log_format in nginx and to the format here, for example: "
        f'{MAIN} "$host"'
    )


@pytest.mark.parametrize(
    ("config", "inventory"),
    [
        pytest.param(CONFIG.replace("main", WITH_HOST), INVENTORY, id="with host"),
        pytest.param(CONFIG.replace("main", "json"), INVENTORY, id="JSON may have the host"),
        pytest.param(CONFIG, INVENTORY.replace(WEST, ""), id="one cluster alone"),
        pytest.param(
            CONFIG,
            INVENTORY.replace("cluster: east,", "cluster: west,").replace(WEST, ""),
            id="another cluster alone",
        ),
        pytest.param(CONFIG, INVENTORY + "    headless: true\n", id="headless"),
        pytest.param(CONFIG, INVENTORY + "profile: cilium\n", id="no pinned names"),
        pytest.param(
            CONFIG.replace("probe: {", "probe: {services: [{match: '*/*', policy: spread}], "),
            INVENTORY,
            id="spread",
        ),
    ],
)
def test_config_check_says_nothing_where_the_host_makes_no_difference(tmp_path, config, inventory):
    assert check(write(tmp_path, config=config, inventory=inventory)) == []


def test_config_check_says_if_where_the_inventory_is_discovered(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("inventory: {kubernetes: {}}\nlogs: [{pods: {}}]\n")
    (told,) = check(path)
    assert told.startswith(
        f"{path}: log pods: the format has no $host, so where another cluster exports a service, "
        "too, a request for its pinned name here counts as a leak; add $host"
    )
    pods = f"logs: [{{pods: {{}}, format: {WITH_HOST}}}]\n"
    path.write_text(f"inventory: {{kubernetes: {{}}}}\n{pods}")
    assert check(path) == []
