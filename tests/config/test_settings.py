import json

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.formats.compile import compile_log
from exporter.commands.load import read_settings
from exporter.config import settings
from exporter.config.scalars import Cidr, Duration, HostPort, IpAddress
from exporter.config.schema import config_schema
from exporter.config.settings import Settings
from exporter.config.yaml_reader import SettingsError
from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Policy
from tests.fakes.files import CONFIG, write

CART, NGINX = ServiceName("shop", "cart"), ServiceName("nginx-test", "nginx")

DESIGN = """\
cluster: east                       # else --cluster, CLUSTER_NAME, else discovered
clusterset_domain: clusterset.local
inventory:
  static: inventory.yaml
probe:
  interval: 15s
  timeout: 2s
  confirm: 2
  fast: {interval: 200ms, for: 30s}
  resolvers: ["127.0.0.1:10053"]
  lighthouse: []
  source_address: null
  pinned: true
  http: {scheme: http, port: null, path: /, method: GET, expect_status: ["2xx", "3xx"], host: null}
  services: [{match: "shop/*", http: {path: /healthz}, policy: spread, enabled: true}]
logs:
  - files: [/var/log/nginx/*.log]
    format: main
    wrapper: none
    service: nginx-test/nginx
attribution:
  trusted_proxies: []
  ignore: {user_agents: ["kube-probe/"], paths: []}
leak_grace: 30s
export_grace: 10m
probe_key_file: null
limits: {series: 50000}
state_directory: null
"""


def load(folder, text):
    return read_settings(write(folder, config=text))


def test_the_documented_keys_are_understood_and_are_the_defaults(tmp_path):
    full = load(tmp_path, DESIGN)
    least = load(tmp_path, "inventory: {static: inventory.yaml}\n")
    assert full.probe.resolvers[0].pair == ("127.0.0.1", 10053)
    assert full.inventory.static == str(tmp_path / "inventory.yaml")
    for name in ("clusterset_domain", "attribution", "leak_grace", "export_grace", "limits"):
        assert getattr(full, name) == getattr(least, name)
    for name in ("interval", "timeout", "confirm", "fast", "pinned", "http", "source_address"):
        assert getattr(full.probe, name) == getattr(least.probe, name)


def test_paths_are_relative_to_the_file(tmp_path):
    read = load(tmp_path, CONFIG + "probe_key_file: /etc/key\n")
    assert read.logs[0].files == (str(tmp_path / "*.log"),)
    assert read.probe_key_file == "/etc/key"


@given(st.integers(1, 366 * 86_400_000 - 1))
def test_durations_come_back_as_they_are_written(milliseconds):
    duration = Duration(milliseconds / 1000)
    assert Duration.parse(str(duration)) == pytest.approx(float(duration))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("15s", 15), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("1m500ms", 60.5)],
)
def test_durations(text, seconds):
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "15 s", "0s", "-1s", "1s1m", "1w", "1.5s", "999d", 15])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="write for example"):
        Duration.parse(text)


@given(st.text())
def test_nothing_else_is_understood_as_anything(text):
    for kind in (Duration, Cidr, HostPort, IpAddress):
        try:
            made = kind.parse(text)
        except ValueError:
            continue
        assert kind.parse(str(made)) == made


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("10.96.0.10", ("10.96.0.10", 53)),
        ("10.96.0.10:1053", ("10.96.0.10", 1053)),
        ("[::1]:53", ("::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_name_servers(text, pair):
    assert HostPort.parse(text).pair == pair


def test_of_several_rules_the_later_goes_first_key_by_key(tmp_path):
    read = load(
        tmp_path,
        CONFIG.replace(
            "probe: {",
            'probe: {services: [{match: "shop/*", http: {path: /a, port: 1}, policy: spread}, '
            '{match: "*/cart", http: {path: /b}}, {match: "a/b", enabled: false, leak_grace: 1m}, '
            '{match: "a/*", http: null}], ',
        ),
    )
    cart = read.probe.for_service(CART)
    assert (cart.http.path, cart.http.port, cart.policy) == ("/b", 1, Policy.SPREAD)
    other = read.probe.for_service(ServiceName("a", "b"))
    assert (other.enabled, other.http, other.leak_grace) == (False, None, 60)
    how = read.probe.for_service(NGINX)
    assert how == (True, read.probe.http, Policy.LOCAL, None, None, 1.0)


def test_a_later_rule_turns_tcp_on_and_off_and_has_its_interval(tmp_path):
    read = load(
        tmp_path,
        CONFIG.replace(
            "probe: {",
            'probe: {tcp: {port: 5432}, services: [{match: "shop/*", http: {path: /a}}, '
            '{match: "*/cart", tcp: {}, interval: 5s}, {match: "a/*", http: null}], ',
        ),
    )
    cart, other, dns = (
        read.probe.for_service(name)
        for name in (CART, ServiceName("shop", "x"), ServiceName("a", "b"))
    )
    assert (cart.tcp.port, cart.interval) == (None, 5.0)
    assert (other.tcp, other.http.path, other.interval) == (None, "/a", 1.0)
    assert (dns.tcp, dns.http) == (None, None)
    assert read.probe.for_service(NGINX).tcp.port == 5432
    assert read.probe.longest_interval == 5.0
    assert [how.replies and how.replies[0] for how in (cart, other, dns)] == ["tcp", "http", None]


@pytest.mark.parametrize(
    ("text", "lookups"),
    [("client", ["client"]), ("a", []), ("[]", []), ("[srv, client, a]", ["client", "srv"])],
)
def test_look_ups_beside_the_lone_one(tmp_path, text, lookups):
    read = load(tmp_path, CONFIG.replace("probe: {", f"probe: {{lookup: {text}, "))
    assert list(read.probe.lookups) == lookups


def test_files_of_tls_are_beside_the_configuration(tmp_path):
    read = load(
        tmp_path,
        CONFIG.replace(
            "probe: {",
            "probe: {http: {scheme: https, tls_config: {ca_file: ca.pem}}, "
            'services: [{match: "*/cart", http: {tls_config: {cert_file: c.pem, key_file: /k}}}], ',
        ),
    )
    base, cart = read.probe.http.tls_config, read.probe.for_service(CART).http.tls_config
    assert base.ca_file == str(tmp_path / "ca.pem")
    assert (cart.cert_file, cart.key_file, cart.ca_file) == (str(tmp_path / "c.pem"), "/k", None)
    assert set(read.probe.tls_configs()) == {base, cart}
    assert list(load(tmp_path, CONFIG).probe.tls_configs()) == []


def test_expected_codes(tmp_path):
    read = load(
        tmp_path, CONFIG.replace("probe: {", 'probe: {http: {expect_status: [2xx, "404"]}, ')
    )
    assert read.probe.http.expected() == {*range(200, 300), 404}


def test_the_schema_takes_what_is_right_and_refuses_what_is_not():
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    check.validate(yaml.safe_load(DESIGN))
    check.validate(yaml.safe_load(CONFIG))
    for wrong in (
        {},
        {"inventory": {"static": "x"}, "unknown": 1},
        {"inventory": {"static": "x"}, "leak_grace": 30},
        {"inventory": {"static": "x"}, "probe": {"interval": "soon"}},
        {"inventory": {"static": "x"}, "probe": {"confirm": 0}},
    ):
        assert list(check.iter_errors(wrong)), wrong


def test_the_schema_has_defaults_and_descriptions_for_editors():
    parts = config_schema()["$defs"]
    assert parts["ProbeSettings"]["properties"]["interval"]["default"] == "15s"
    assert "description" in parts["Settings"]["properties"]["leak_grace"]
    json.dumps(parts)


def test_what_is_shown_can_be_read_again_and_holds_no_secret(tmp_path):
    (tmp_path / "key").write_text("do not tell")
    read = load(tmp_path, DESIGN.replace("probe_key_file: null", "probe_key_file: key"))
    shown = settings.as_yaml(read)
    assert "do not tell" not in shown
    assert "interval: 15s" in shown
    (tmp_path / "again.yaml").write_text(shown)
    assert read_settings(tmp_path / "again.yaml") == read


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["cluster", "probe", "logs", "inventory", "x"]), inner
            )
        ),
        max_leaves=10,
    )
)
def test_any_yaml_is_read_or_refused_in_one_line(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_text(yaml.safe_dump(value))
    try:
        read = read_settings(path)
    except SettingsError as error:
        told = str(error)
    else:
        assert isinstance(read, Settings)
        return
    assert told.startswith(str(path))
    assert "\n" not in told


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_bytes(raw)
    with pytest.raises(SettingsError) as refused:
        read_settings(path)
    assert "\n" not in str(refused.value)


def test_an_alias_cannot_make_a_small_file_large(tmp_path):
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9))
    with pytest.raises(SettingsError, match=r"an alias \(\*name\); write the value out"):
        load(tmp_path, bomb)


LOG_OF_JSON = """\
cluster: east
inventory: {{static: inventory.yaml}}
logs:
  - files: ["*.log"]
    service: shop/cart
    format: {format}
"""


def test_a_map_of_json_keys_becomes_the_format_that_the_command_line_takes(tmp_path):
    form = "{remote: request.remote_ip, status: status, milliseconds: took}"
    read = load(tmp_path, LOG_OF_JSON.format(format=form))
    text = read.logs[0].format.map
    assert text == '{remote: "request.remote_ip", status: "status", milliseconds: "took"}'
    assert {"address", "status", "seconds"} == compile_log(text).fields


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("{remote: a, nginx_conf: x}", "nginx_conf and remote are two formats; keep one"),
        ("{name: main}", "write nginx_conf: PATH, or a map such as {remote: KEY, status: KEY}"),
        ("{remote: a, status: s, name: n}", "name is that of a log_format"),
        ("{remote: a, colour: c}", "unknown key 'colour'"),
        ("""{remote: 'a"b', status: s}""", "is not a key, because a quote stands in it"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(tmp_path, form, told):
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, LOG_OF_JSON.format(format=form))
    assert told in str(refused.value)
