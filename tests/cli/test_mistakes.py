"""Mistakes that operators make: each is one clear line and exit code 2."""

import os

import pytest
from click.testing import CliRunner

from exporter.cli.main import cli
from tests.fakes.files import CONFIG, INVENTORY, WITH_HOST, write


def check(folder, *arguments):
    return CliRunner().invoke(
        cli, ["config", "check", "--config.file", str(folder / "config.yaml"), *arguments]
    )


def said(command, stderr):
    """Return the error in the one line on standard error; of `run` it is a log event."""
    (line,) = stderr.splitlines()
    if command[0] != "run":
        return line.removeprefix("clusterset-exporter: ")
    _, ended, error = line.partition(' level=error event="exporter ended" error=')
    assert ended
    quoted = error.startswith('"')
    return error[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted else error


def refused(folder, told):
    """Both `config check` and `run` end with this line."""
    for command in (["config", "check"], ["run"]):
        done = CliRunner().invoke(cli, [*command, "--config.file", str(folder / "config.yaml")])
        assert (done.exit_code, done.stdout) == (2, "")
        assert said(command, done.stderr) == f"{folder}/{told}"


CONFIG_MISTAKES = {
    "unknown key": (
        CONFIG.replace("resolvers:", "resolver:"),
        (
            "config.yaml:3: probe: unknown key 'resolver'; did you mean 'resolvers'? allowed here: "
            "interval, timeout, confirm, fast, resolvers, lighthouse, lookup, record, jitter, "
            "limits, source_address, pinned, http, tcp, services"
        ),
    ),
    "unknown key of a log": (
        CONFIG.replace("format: main", "formt: main"),
        (
            "config.yaml:5: logs[0]: unknown key 'formt'; did you mean 'format'? allowed here: "
            "files, syslog, pods, format, wrapper, service, after_lease, services"
        ),
    ),
    "tab": (
        CONFIG.replace("inventory: {static", "inventory:\n\tstatic"),
        "config.yaml:3: a tab in the indentation; YAML wants spaces",
    ),
    "wrong unit": (
        CONFIG.replace("interval: 1s", "interval: 15"),
        "config.yaml:3: probe.interval: 15 is not a duration; write for example 250ms, 15s or 5m",
    ),
    "port 0": (
        CONFIG.replace("timeout: 1s", "timeout: 1s, http: {port: 0}"),
        "config.yaml:3: probe.http: port 0 is not between 1 and 65535",
    ),
    "another scheme": (
        CONFIG.replace("timeout: 1s", "timeout: 1s, http: {scheme: ftp}"),
        "config.yaml:3: probe.http: scheme 'ftp' should be http or https",
    ),
    "no pattern": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {expect_body: "("}'),
        (
            "config.yaml:3: probe.http: expect_body '(' is not a regular expression: "
            "missing ), unterminated subpattern at position 0"
        ),
    ),
    "a pattern with a number that is too large": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {expect_body: "a{9999999999}"}'),
        (
            "config.yaml:3: probe.http: expect_body 'a{9999999999}' is not a regular expression: "
            "the repetition number is too large"
        ),
    ),
    "no header": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {headers: ["X-A"]}'),
        "config.yaml:3: probe.http: headers: 'X-A' should be Name: value",
    ),
    "two headers in one": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {headers: ["A: b\\r\\nC: d"]}'),
        "config.yaml:3: probe.http: headers: 'A: b\\r\\nC: d' should be Name: value",
    ),
    "a header of ours": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {headers: ["user-agent: x"]}'),
        (
            "config.yaml:3: probe.http: headers: user-agent is set by the exporter; "
            "set Host by the key host"
        ),
    ),
    "a secret": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, http: {headers: ["Cookie: x"]}'),
        "config.yaml:3: probe.http: headers: cookie is a secret; probes send no secrets",
    ),
    "half a client certificate": (
        CONFIG.replace("timeout: 1s", "timeout: 1s, http: {tls_config: {key_file: k}}"),
        "config.yaml:3: probe.http.tls_config: key_file is set, and cert_file is not",
    ),
    "a CA that is not there": (
        CONFIG.replace(
            "timeout: 1s", "timeout: 1s, http: {scheme: https, tls_config: {ca_file: /gone}}"
        ),
        "config.yaml: tls_config: ca_file /gone cannot be used: No such file or directory",
    ),
    "jitter longer than the interval": (
        CONFIG.replace("timeout: 1s", "timeout: 1s, jitter: 2s"),
        "config.yaml:3: probe: jitter 2s should be at most interval 1s",
    ),
    "an interval shorter than the timeout": (
        CONFIG.replace("timeout: 1s", 'timeout: 1s, services: [{match: "*/*", interval: 500ms}]'),
        "config.yaml:3: probe: interval 500ms of */* should be at least timeout 1s",
    ),
    "resolver port 0": (
        CONFIG.replace("127.0.0.1:1", "127.0.0.1:0"),
        "config.yaml:3: probe.resolvers[0]: port 0 of 127.0.0.1:0 is not between 1 and 65535",
    ),
    "a board that is no web page": (
        CONFIG + "dashboard_url: 'javascript:alert(1)'\n",
        "config.yaml: dashboard_url 'javascript:alert(1)' should begin with http:// or https://",
    ),
    "empty file": ("", "config.yaml: is empty; write at least one key"),
    "comment only": ("# soon\n", "config.yaml: is empty; write at least one key"),
    "wrong type": (
        CONFIG.replace("timeout: 1s", "timeout: 1s, pinned: maybe"),
        "config.yaml:3: probe.pinned: should be true or false, not text",
    ),
    "service by pod without a wrapper": (
        CONFIG.replace("service: nginx-test/nginx", "service: {pod: true}"),
        "config.yaml:5: logs[0]: wrapper is missing; write wrapper: cri, or docker",
    ),
    "service by pod of standard input": (
        CONFIG.replace('["*.log"]', '["-"]').replace(
            "service: nginx-test/nginx", "wrapper: cri, service: {pod: true}"
        ),
        "config.yaml:5: logs[0]: service: {pod: true} is for files",
    ),
    "a lease for files that tell no pods": (
        CONFIG.replace("service: nginx-test/nginx", "service: a/b, after_lease: a/b"),
        "config.yaml:5: logs[0]: after_lease needs service: {pod: true} and wrapper: cri",
    ),
    "a lease without a namespace": (
        CONFIG.replace(
            "service: nginx-test/nginx", "wrapper: cri, service: {pod: true}, after_lease: mine"
        ),
        "config.yaml:5: logs[0]: after_lease 'mine' should be namespace/name of a Lease",
    ),
    "service by pod without an API server": (
        CONFIG.replace("service: nginx-test/nginx", "wrapper: cri, service: {pod: true}"),
        "config.yaml: logs: service: {pod: true} needs inventory: {kubernetes: {}}",
    ),
    "service by routes without an API server": (
        CONFIG.replace("service: nginx-test/nginx", "service: {route: true}"),
        "config.yaml: logs: service: {route: true} needs inventory: {kubernetes: {}}",
    ),
    "service told by nothing": (
        CONFIG.replace("service: nginx-test/nginx", "service: {host: false}"),
        (
            "config.yaml:5: logs[0].service: write one of host: true, pod: true, upstream: true "
            "and route: true, or namespace/name instead"
        ),
    ),
    "services beside the service of all lines": (
        CONFIG.replace("nginx-test/nginx", "a/b, services: {x.example: a/b}"),
        (
            "config.yaml:5: logs[0]: services: leave it out, because service or the pods tell the "
            "service"
        ),
    ),
    "a host with half a service": (
        CONFIG.replace("service: nginx-test/nginx", "services: {x.example: b}"),
        "config.yaml:5: logs[0]: services: x.example: 'b' should be namespace/name",
    ),
    "services by a host that is not logged": (
        CONFIG.replace("service: nginx-test/nginx", "services: {x.example: a/b}"),
        "config.yaml: logs[0].format: has no $host; add it to the log_format in nginx",
    ),
    "a format without the name of the upstream": (
        CONFIG.replace("service: nginx-test/nginx", "service: {upstream: true}"),
        (
            "config.yaml: logs[0].format: has no $proxy_upstream_name; add it to the log_format in "
            "nginx"
        ),
    ),
    "service without a namespace": (
        CONFIG.replace("nginx-test/nginx", "nginx"),
        "config.yaml:5: logs[0]: service 'nginx' should be namespace/name",
    ),
    "unknown format": (
        CONFIG.replace("format: main", "format: jsno"),
        (
            "config.yaml: logs[0].format: 'jsno' is no format; write one of main, combined, nginx, "
            "ingress-nginx, envoy, istio, traefik, haproxy, haproxy-headers, apache, "
            "envoy-gateway, istio-json, traefik-json, caddy, json, a format string of nginx, "
            "Envoy or Apache, or a map such as {remote: KEY, status: KEY}"
        ),
    ),
    "a format that needs guessing": (
        CONFIG.replace("format: main", "format: '$remote_addr $request $status'"),
        (
            "config.yaml: logs[0].format: $request at character 14 may itself hold the ' ' that "
            'ends it; put it in double quotes, as "$request"'
        ),
    ),
    "a host that is not logged": (
        CONFIG.replace("service: nginx-test/nginx", "service: {host: true}"),
        "config.yaml: logs[0].format: has no $host; add it to the log_format in nginx",
    ),
    "no syslog address": (
        CONFIG.replace('files: ["*.log"]', "syslog: localhost"),
        (
            "config.yaml: logs[0]: 'localhost' is no syslog address; "
            "write for example udp://127.0.0.1:5140"
        ),
    ),
    "two sources in one": (
        CONFIG.replace("format: main", 'syslog: "udp://127.0.0.1:1"'),
        "config.yaml:5: logs[0]: files and syslog are two sources; write two entries",
    ),
    "standard input among files": (
        CONFIG.replace('"*.log"', '"-", x.log'),
        (
            "config.yaml: logs[0]: - is standard input, a source of its own; "
            "write another entry for the files"
        ),
    ),
    "unknown wrapper": (
        CONFIG.replace("format: main", "wrapper: containerd"),
        "config.yaml:5: logs[0]: wrapper 'containerd' should be none, cri or docker",
    ),
    "timeout longer than the interval": (
        CONFIG.replace("timeout: 1s", "timeout: 5s"),
        "config.yaml:3: probe: timeout 5s should be at most interval 1s",
    ),
    "proxy with host bits": (
        CONFIG + "attribution: {trusted_proxies: [10.0.0.1/8]}\n",
        (
            "config.yaml:6: attribution.trusted_proxies[0]: 10.0.0.1/8 has host bits set; "
            "write 10.0.0.0/8"
        ),
    ),
    "no inventory": ("cluster: east\n", "config.yaml: the key inventory is missing"),
    "not a mapping": ("- east\n", "config.yaml:1: is not a mapping; write `key: value` lines"),
    "two sources": (
        CONFIG.replace("static: inventory.yaml", "static: inventory.yaml, kubernetes: {}"),
        "config.yaml:2: inventory: write one of static: inventory.yaml and kubernetes: {}",
    ),
    "selector without a namespace": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {selector: app=x}, services: {a.example: a/b}}",
        ),
        "config.yaml:5: logs[0].pods: namespace is missing; selector needs it",
    ),
    "namespace without a selector": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: x}, services: {a.example: a/b}}",
        ),
        "config.yaml:5: logs[0].pods: selector is missing; write for example app=traefik",
    ),
    "empty selector": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: x, selector: ' '}, services: {a.example: a/b}}",
        ),
        "config.yaml:5: logs[0].pods: selector is empty; write app=traefik",
    ),
    "pods of no namespace": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: '*', selector: app=x}, services: {a.example: a/b}}",
        ),
        (
            "config.yaml:5: logs[0].pods: namespace '*' should be the name of one namespace, "
            "such as ingress"
        ),
    ),
    "no label selector of pods": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: x, selector: app=(}, services: {a.example: a/b}}",
        ),
        (
            "config.yaml:5: logs[0].pods: 'app=(' is not a label selector; write for example "
            "team=shop, team!=shop, team in (shop, web), team or !team"
        ),
    ),
    "pods of a gateway without a service": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: x, selector: app=x}, format: main}",
        ),
        "config.yaml:5: logs[0]: service is missing; write service: namespace/name",
    ),
    "pods of a gateway in a wrapper": (
        CONFIG.replace(
            '{files: ["*.log"], format: main, service: nginx-test/nginx}',
            "{pods: {namespace: x, selector: app=x}, wrapper: cri, services: {a.example: a/b}}",
        ),
        "config.yaml:5: logs[0]: wrapper: leave it out, because logs of pods have no wrapper",
    ),
    "pods without an API server": (
        CONFIG.replace('{files: ["*.log"], format: main, service: nginx-test/nginx}', "{pods: {}}"),
        "config.yaml: logs: pods need inventory: {kubernetes: {}}",
    ),
    "no cluster": (
        CONFIG.replace("cluster: east\n", ""),
        (
            "config.yaml: cluster: the cluster of this exporter is not known; set `cluster:` in "
            "the file, --cluster, or CLUSTER_NAME in the environment"
        ),
    ),
}
INVENTORY_MISTAKES = {
    "host bits": (
        INVENTORY.replace("10.1.0.0/16", "10.1.0.1/16"),
        (
            "inventory.yaml:2: clusters[0]: pod_cidrs: 10.1.0.1/16 has host bits set; "
            "write 10.1.0.0/16"
        ),
    ),
    "one prefix of two clusters": (
        INVENTORY.replace("10.2.0.0/16", "10.1.0.0/16"),
        (
            "inventory.yaml: 10.1.0.0/16 is claimed by clusters east and west; a prefix belongs "
            "to one (with Globalnet give both their global_cidrs)"
        ),
    ),
    "same service twice": (
        INVENTORY + INVENTORY[INVENTORY.index("  - namespace") :],
        "inventory.yaml: service nginx-test/nginx is given twice; keep one",
    ),
    "same cluster twice": (
        INVENTORY.replace("id: west", "id: east"),
        "inventory.yaml: cluster east is given twice; keep one",
    ),
    "port 0": (
        INVENTORY.replace("8080", "0"),
        "inventory.yaml:7: services[0].ports[0]: port 0 is not between 1 and 65535",
    ),
    "unknown cluster": (
        INVENTORY.replace("cluster: west", "cluster: wset"),
        (
            "inventory.yaml: service nginx-test/nginx is exported by wset, which is not among "
            "clusters; known are east, west"
        ),
    ),
    "this cluster is not in it": (
        INVENTORY.replace("east", "north"),
        "inventory.yaml: clusters: has no east, the cluster this is for; known are north, west",
    ),
    "no address": (
        INVENTORY.replace("127.0.0.1", "nginx"),
        (
            "inventory.yaml:9: services[0].exports[0]: addresses: 'nginx' is no IP address; "
            "write for example 100.1.0.10"
        ),
    ),
    "a key twice": (
        INVENTORY + "clusters: []\n",
        "inventory.yaml:11: clusters: is given twice; keep one",
    ),
}


@pytest.mark.parametrize("mistake", CONFIG_MISTAKES)
def test_in_the_configuration(tmp_path, monkeypatch, mistake):
    monkeypatch.delenv("CLUSTER_NAME", raising=False)
    text, told = CONFIG_MISTAKES[mistake]
    write(tmp_path, config=text)
    refused(tmp_path, told)


@pytest.mark.parametrize("mistake", INVENTORY_MISTAKES)
def test_in_the_inventory(tmp_path, mistake):
    text, told = INVENTORY_MISTAKES[mistake]
    write(tmp_path, inventory=text)
    refused(tmp_path, told)


def test_a_missing_configuration(tmp_path):
    refused(tmp_path, "config.yaml: there is no such file")


def test_a_missing_inventory(tmp_path):
    write(tmp_path)
    (tmp_path / "inventory.yaml").unlink()
    refused(tmp_path, "inventory.yaml: there is no such file")


def test_a_folder(tmp_path):
    (tmp_path / "config.yaml").mkdir()
    refused(tmp_path, "config.yaml: is a folder; name a YAML file")


def test_run_refuses_a_state_directory_that_is_none(tmp_path):
    write(tmp_path, config=f"{CONFIG}state_directory: config.yaml\n")
    done = CliRunner().invoke(cli, ["run", "--config.file", str(tmp_path / "config.yaml")])
    assert (done.exit_code, done.stdout) == (2, ""), (done.stderr, done.exception)
    told = f"state_directory: {tmp_path}/config.yaml: is not a directory; name one, or a path"
    assert said(["run"], done.stderr) == f"{told} that is free"


def test_an_unreadable_file(tmp_path, monkeypatch):
    write(tmp_path)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the system's answer is played.
    monkeypatch.setattr("exporter.files.small_file.os.open", denied)
    told = f"config.yaml: may not be read by user {os.getuid()}; check its permissions"
    refused(tmp_path, told)


def test_an_empty_key(tmp_path):
    write(tmp_path, config=CONFIG + "probe_key_file: key\n")
    (tmp_path / "key").write_text("\n")
    refused(tmp_path, "key: is empty; write the key that all exporters share")


def test_too_many_keys(tmp_path):
    write(tmp_path, config=CONFIG + "probe_key_file: key\n")
    (tmp_path / "key").write_text("".join(f"secret {n}\n" for n in range(5)))
    done = check(tmp_path)
    refused(
        tmp_path,
        "key: has 5 keys, one a line; at most 4 can be valid at once, so keep the one that signs "
        "first and delete the oldest",
    )
    assert "secret" not in done.output


def test_a_key_that_is_no_file(tmp_path):
    write(tmp_path, config=CONFIG + "probe_key_file: key\n")
    (tmp_path / "key").mkdir()
    refused(tmp_path, "key: is a folder; name a file with one key a line")
    (tmp_path / "key").rmdir()
    refused(tmp_path, "key: there is no such file")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"cluster: east\nx: \xff\n")
    refused(tmp_path, "config.yaml:2: is not UTF-8 text; save it as UTF-8")


def test_without_a_mistake_it_says_what_there_is(tmp_path):
    write(tmp_path, config=CONFIG.replace("main", WITH_HOST))
    told = f"{tmp_path}/config.yaml: OK: cluster east (1 of 2), services: 1, log sources: 1"
    done = check(tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"{told}; no file yet for {tmp_path}/*.log\n")
    (tmp_path / "access.log").touch()
    assert check(tmp_path).stdout == f"{told}\n"


def test_the_flag_goes_before_the_file(tmp_path):
    write(tmp_path)
    assert "OK: cluster west (1 of 2)" in check(tmp_path, "--cluster", "west").stdout


@pytest.mark.parametrize("listen", ["9877", "host:", ":70000", "a:b"])
def test_a_listen_address_that_is_none(tmp_path, listen):
    write(tmp_path)
    done = CliRunner().invoke(
        cli, ["run", "--config.file", str(tmp_path / "config.yaml"), "--web.listen-address", listen]
    )
    assert done.exit_code == 2
    assert said(["run"], done.stderr) == (
        f"--web.listen-address: {listen!r} is not host:port; for example :9877 or [::1]:9877"
    )


def hints(folder, text):
    done = CliRunner().invoke(
        cli, ["config", "check", "--config.file", str(write(folder, config=text))]
    )
    assert done.exit_code == 0
    return [line.partition("config.yaml: ")[2] for line in done.stdout.splitlines()[1:]]


HOSTED = CONFIG.replace("main", WITH_HOST)


def test_a_log_of_a_service_that_nobody_knows_is_worth_a_hint(tmp_path):
    (hint,) = hints(tmp_path, HOSTED.replace("nginx-test/nginx", "nginx-test/ngnix"))
    assert hint.endswith(
        "nginx-test/ngnix is not in the inventory: not counted; known are nginx-test/nginx"
    )


def test_a_rule_that_matches_no_service_is_worth_a_hint(tmp_path):
    rules = "services: [{match: 'ngnix-test/*', policy: spread}, {match: 'nginx-test/*'}]"
    told = "probe.services: ngnix-test/* matches no service of the inventory"
    assert hints(tmp_path, HOSTED.replace("timeout: 1s", f"timeout: 1s, {rules}")) == [told]


@pytest.mark.parametrize(
    ("value", "got"), [("no", "true or false"), ("1", "a number"), ("1.5", "a number")]
)
def test_text_that_yaml_takes_for_something_else_wants_quotes(tmp_path, value, got):
    write(tmp_path, config=CONFIG.replace("cluster: east", f"cluster: {value}"))
    told = f"config.yaml:1: cluster: should be text or null, not {got}; put it in quotes"
    refused(tmp_path, told)
