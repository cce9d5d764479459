"""The two JSON Schemas, held against the loaders by the same documents."""

import copy
import re

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.schema import config_schema
from exporter.config.settings import parse_settings
from exporter.config.yaml_reader import SettingsError, parse_struct
from exporter.discover.inventory_file import InventoryFile
from exporter.discover.inventory_schema import inventory_schema

CONFIG = jsonschema.Draft202012Validator(config_schema())
INVENTORY = jsonschema.Draft202012Validator(inventory_schema())
STATIC = {"static": "inventory.yaml"}

UNSAID = {
    "fast.interval .* should be at most interval": {"probe": {"fast": {"interval": "20s"}}},
    "timeout .* should be at most interval": {"probe": {"timeout": "20s"}},
    "jitter .* should be at most interval": {"probe": {"jitter": "20s"}},
    "interval .* should be at least timeout": {
        "probe": {"services": [{"match": "*/*", "interval": "1s"}]}
    },
    "should be more than 0 and less than a year": {"leak_grace": "365d8783h"},
    "is not a regular expression": {"probe": {"http": {"expect_body": "["}}},
    "is not a label selector": {"inventory": {"kubernetes": {"selector": "a=b=c"}}},
    "has host bits set": {"attribution": {"trusted_proxies": ["10.1.2.3/16"]}},
    "is not a network": {"attribution": {"trusted_proxies": ["1:2"]}},
    "is not address:port": {"probe": {"resolvers": ["[1:2]:53"]}},
    "is not an IP address": {"probe": {"source_address": "1:2"}},
    "is a number of more than 40 characters": {"limits": {"series": 10**50}},
}
"""What the loader of the configuration says where its schema is silent, with an example of each."""

UNSAID_OF_INVENTORY = {
    "host bits set": {"clusters": [{"id": "east", "pod_cidrs": ["10.1.2.3/16"]}]},
    "is no network": {"clusters": [{"id": "east", "pod_cidrs": ["1:2"]}]},
    "is no IP address": {"clusters": [{"id": "east", "node_addresses": ["1:2"]}]},
    "is IPv4 in IPv6": {"clusters": [{"id": "east", "node_addresses": ["::ffff:1.2.3.4"]}]},
    "cluster .* is given twice": {"clusters": [{"id": "east"}, {"id": "east"}]},
    "service .* is given twice": {
        "clusters": [],
        "services": [{"namespace": "shop", "name": "cart"}, {"namespace": "shop", "name": "cart"}],
    },
    "export of cluster .* is given twice": {
        "clusters": [{"id": "east"}],
        "services": [
            {
                "namespace": "shop",
                "name": "cart",
                "exports": [
                    {"cluster": "east", "addresses": ["1.1.1.1"]},
                    {"cluster": "east", "addresses": ["1.1.1.2"]},
                ],
            }
        ],
    },
    "address .* is given twice": {
        "clusters": [{"id": "east"}],
        "services": [
            {
                "namespace": "shop",
                "name": "cart",
                "exports": [{"cluster": "east", "addresses": ["1.1.1.1"]}],
                "clusterset_ips": ["1.1.1.1"],
            }
        ],
    },
    "which is not among clusters": {
        "clusters": [],
        "services": [
            {
                "namespace": "shop",
                "name": "cart",
                "exports": [{"cluster": "east", "addresses": ["1.1.1.1"]}],
            }
        ],
    },
    "is claimed by clusters": {
        "clusters": [
            {"id": "east", "pod_cidrs": ["10.1.0.0/16"]},
            {"id": "west", "pod_cidrs": ["10.1.0.0/16"]},
        ]
    },
    "belongs to Submariner's tunnels": {"clusters": [{"id": "east", "pod_cidrs": ["240.0.0.0/8"]}]},
}


class WithoutAliases(yaml.SafeDumper):
    """Writes a value that stands in two places out twice, because the loader takes no aliases."""

    def ignore_aliases(self, _):
        return True


def said(load, document):
    """Return what a loader says against *document*; None if it takes it."""
    try:
        load(yaml.dump(document, Dumper=WithoutAliases))
    except SettingsError as error:
        return str(error)
    return None


def load_config(text):
    return parse_settings(text, source="config.yaml")


def load_inventory(text):
    return parse_struct(text, InventoryFile, source="inventory.yaml")


def agree(load, schema, unsaid, document):
    """Hold the two against each other; return whether the loader takes *document*."""
    told, wrong = said(load, document), list(schema.iter_errors(document))
    if told is None:
        assert not wrong, (document, wrong)
    elif not wrong:
        assert any(re.search(pattern, told) for pattern in unsaid), (document, told)
    return told is None


def log(**keys):
    return {"inventory": STATIC, "logs": [keys]}


def logs(*entries):
    return {"inventory": {"kubernetes": {}}, "logs": list(entries)}


def probe(**keys):
    return {"inventory": STATIC, "probe": keys}


def http(**keys):
    return probe(http=keys)


CART = {"service": "shop/cart"}
GATEWAY = {"namespace": "ingress", "selector": "app=nginx"}
RIGHT = [
    {"inventory": STATIC},
    {"inventory": {"static": "x", "kubernetes": None}},
    {"inventory": {"kubernetes": {"watch_namespaces": ["shop"], "submariner_namespace": None}}},
    {"inventory": STATIC, "leak_grace": "365d23h59m59s999ms"},
    {"inventory": STATIC, "leak_grace": "000000000000000001s"},
    {"inventory": STATIC, "cluster": "east-1", "log_probes": "shop/cart"},
    {"inventory": STATIC, "runbook_url": "https://example.com/x"},
    log(files=["a"], **CART),
    log(files=["a"], syslog="", **CART),
    log(syslog="udp://127.0.0.1:514", service={"host": True}),
    log(format={"nginx_conf": "nginx.conf"}, **CART),
    log(format={"nginx_conf": "nginx.conf", "name": "main"}, **CART),
    log(files=["a"], format={"remote": "ip", "status": "code"}, **CART),
    log(files=["a"], services={"shop.example.com": "shop/cart"}),
    log(files=["a"], services={"up": "shop/cart"}, service={"upstream": True}),
    logs({"pods": {}}),
    logs({"pods": {}}, {"pods": GATEWAY, "service": {"host": True}}),
    logs({"pods": GATEWAY, "services": {"shop.example.com": "shop/cart"}}),
    logs({"files": ["*.log"], "wrapper": "cri", "service": {"pod": True}}),
    logs({"files": ["*.log"], "service": {"route": True}, "services": {"a.example": "shop/cart"}}),
    probe(resolvers=["127.0.0.1", "127.0.0.1:00053", "[::1]:53", "[fe80::1%eth0]:53"]),
    probe(source_address="::1", lighthouse=[], jitter="1s", tcp={"port": 80}),
    probe(services=[{"match": "*/*", "http": None}, {"match": "a/b", "http": {"host": None}}]),
    http(scheme="https", expect_status=["2xx", "404"], headers=["X-Hosts: 1", "Accept:"]),
    http(tls_config={"cert_file": "a", "key_file": "b"}),
    {"inventory": STATIC, "attribution": {"trusted_proxies": ["10.0.0.1", "10.0.0.0/255.0.0.0"]}},
]
WRONG = [
    {},
    {"inventory": {}},
    {"inventory": STATIC | {"kubernetes": {}}},
    {"inventory": {"static": ""}},
    {"inventory": STATIC, "unknown": 1},
    {"inventory": STATIC, "cluster": "East"},
    {"inventory": STATIC, "cluster": "east\n"},
    {"inventory": STATIC, "clusterset_domain": ""},
    {"inventory": STATIC, "log_probes": "cart"},
    {"inventory": STATIC, "dashboard_url": "grafana"},
    *(
        {"inventory": STATIC, "leak_grace": wrong}
        for wrong in (
            30,
            "",
            "soon",
            "0s",
            "1s1m",
            "-1s",
            "1.5s",
            "366d",
            "8784h",
            "1s\n",
            "\uff11s",
        )
    ),
    {"inventory": STATIC, "leak_grace": "\uff11s"},
    {"inventory": {"kubernetes": {"namespaces": []}}},
    {"inventory": {"kubernetes": {"watch_namespaces": ["shop-*"]}}},
    {"inventory": {"kubernetes": {"submariner_namespace": ""}}},
    log(files=["a"]),
    log(files=["a"], service="cart"),
    log(files=["a"], service="a/b/c"),
    log(files=["a"], service={}),
    log(files=["a"], service={"host": True, "upstream": True}),
    log(files=["a"], syslog="udp://127.0.0.1:514", **CART),
    log(files=[], **CART),
    log(files=["a"], wrapper="podman", **CART),
    log(files=["a"], service={"pod": True}, wrapper="cri"),
    log(files=["a"], service={"route": True}),
    log(files=["a"], service={"route": True, "host": True}),
    logs({"files": ["-"], "service": {"pod": True}, "wrapper": "cri"}),
    logs({"files": ["a"], "service": {"pod": True}}),
    logs({"syslog": "udp://127.0.0.1:514", "service": {"pod": True}, "wrapper": "cri"}),
    log(files=["a"], services={"shop.example.com": "cart"}),
    log(files=["a"], services={"shop.example.com": "shop/cart"}, **CART),
    log(pods={}),
    logs({"pods": {}}, {"pods": {}}),
    logs({"pods": {}, "wrapper": "cri"}),
    logs({"pods": {}, **CART}),
    logs({"pods": {}, "services": {"shop.example.com": "shop/cart"}}),
    logs({"pods": GATEWAY}),
    logs({"pods": {"selector": "app=nginx"}, **CART}),
    logs({"pods": {"namespace": "ingress"}, **CART}),
    logs({"pods": GATEWAY | {"selector": " "}, **CART}),
    log(files=["a"], format={}, **CART),
    log(files=["a"], format={"name": "main"}, **CART),
    log(files=["a"], format={"nginx_conf": "a", "remote": "ip"}, **CART),
    log(files=["a"], format={"remote": 'i"p'}, **CART),
    probe(confirm=0),
    probe(confirm=True),
    probe(resolvers=["localhost"]),
    probe(resolvers=["127.0.0.1:0"]),
    probe(resolvers=["127.0.0.1:65536"]),
    probe(resolvers=["::1"]),
    probe(source_address="10.0.0.256"),
    probe(services=[{"match": "cart"}]),
    probe(services=[{"match": "*/*", "http": {"port": 0}}]),
    probe(tcp={"port": 65536}),
    http(scheme="ftp"),
    http(path="healthz"),
    http(path="/a b"),
    http(method="POST"),
    http(host=""),
    http(expect_status=[]),
    http(expect_status=["6xx"]),
    http(expect_status=[200]),
    http(headers=["HoSt: x"]),
    http(headers=["Cookie: x"]),
    http(headers=["no colon"]),
    http(redirects=4),
    http(tls_config={"key_file": "b"}),
    {"inventory": STATIC, "attribution": {"trusted_proxies": ["10.0.0.0/33"]}},
    {"inventory": STATIC, "limits": {"series": 99}},
]


@pytest.mark.parametrize("schema", [CONFIG, INVENTORY])
def test_each_is_a_json_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema.schema)


@pytest.mark.parametrize("document", RIGHT, ids=str)
def test_both_take_what_is_right(document):
    assert agree(load_config, CONFIG, {}, document)


@pytest.mark.parametrize("document", WRONG, ids=str)
def test_both_refuse_what_is_wrong(document):
    assert not agree(load_config, CONFIG, {}, document)


EAST = {"id": "east", "pod_cidrs": ["10.1.0.0/16", "fd00::/64"], "node_addresses": ["172.18.0.3"]}
WEST = {"id": "west", "global_cidrs": ["242.0.0.0/24"], "service_cidrs": [], "connected": False}
SHOP = {
    "namespace": "shop",
    "name": "cart",
    "ports": [{"name": "http", "port": 80}, {"port": 65535}],
    "exports": [
        {"cluster": "east", "addresses": ["10.1.0.1", "::1"]},
        {"cluster": "west", "addresses": ["10.2.0.1"], "ready": False},
    ],
    "headless": True,
    "clusterset_ips": ["10.3.0.1"],
}
WHOLE = {
    "clusters": [EAST, WEST],
    "services": [SHOP],
    "profile": "gke",
    "submariner_version": "v0.19.0-rc1",
}


@pytest.mark.parametrize("document", [WHOLE, {"clusters": []}, {"clusters": [{"id": "east"}]}])
def test_both_take_a_right_inventory(document):
    assert agree(load_inventory, INVENTORY, {}, document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        WHOLE | {"unknown": 1},
        WHOLE | {"profile": "istio"},
        WHOLE | {"submariner_version": "new"},
        WHOLE | {"submariner_version": 0.19},
        {"clusters": {}},
        *(
            {"clusters": [wrong]}
            for wrong in (
                {},
                EAST | {"id": "East"},
                EAST | {"id": "external"},
                EAST | {"pod_cidrs": ["10.1.0.0/33"]},
                EAST | {"pod_cidrs": ["all"]},
                EAST | {"node_addresses": ["10.1.0.1/32"]},
                EAST | {"connected": "yes"},
            )
        ),
        *(
            {"clusters": [EAST, WEST], "services": [wrong]}
            for wrong in (
                SHOP | {"name": "Cart"},
                SHOP | {"ports": [{"port": 0}]},
                SHOP | {"ports": [{"name": "http"}]},
                SHOP | {"exports": [{"cluster": "east", "addresses": []}]},
                SHOP | {"exports": [{"cluster": "east", "addresses": ["1.1.1.1", "1.1.1.1"]}]},
                SHOP | {"exports": [{"cluster": "east", "addresses": ["1.1.1"]}]},
                SHOP | {"clusterset_ips": ["1.1.1.1", "1.1.1.1"]},
            )
        ),
    ],
    ids=str,
)
def test_both_refuse_a_wrong_inventory(document):
    assert not agree(load_inventory, INVENTORY, {}, document)


@pytest.mark.parametrize("pattern", UNSAID)
def test_what_the_schema_of_the_configuration_cannot_say(pattern):
    document = {"inventory": STATIC} | UNSAID[pattern]
    assert re.search(pattern, said(load_config, document) or "")
    assert CONFIG.is_valid(document)


@pytest.mark.parametrize("pattern", UNSAID_OF_INVENTORY)
def test_what_the_schema_of_the_inventory_cannot_say(pattern):
    document = UNSAID_OF_INVENTORY[pattern]
    assert re.search(pattern, said(load_inventory, document) or "")
    assert INVENTORY.is_valid(document)


FULL = {
    "inventory": {"kubernetes": {"namespaces": ["*"], "watch_namespaces": ["shop"]}},
    "cluster": "east",
    "leak_grace": "30s",
    "probe": {
        "interval": "15s",
        "fast": {"interval": "1s", "for": "5s"},
        "resolvers": ["127.0.0.1:53"],
        "http": {"headers": ["A: b"], "tls_config": {"cert_file": "a", "key_file": "b"}},
        "services": [{"match": "*/*", "interval": "5s", "http": {"port": 80}, "tcp": None}],
    },
    "logs": [
        {"files": ["a"], "service": {"pod": True}, "wrapper": "cri"},
        {"pods": {}},
        {"pods": GATEWAY, "services": {"shop.example.com": "shop/cart"}},
        {"syslog": "udp://127.0.0.1:514", "format": {"nginx_conf": "a"}, **CART},
        {"files": ["a"], "format": {"remote": "ip"}, "service": {"upstream": True}},
    ],
    "attribution": {"trusted_proxies": ["10.0.0.0/8"], "ignore": {"paths": ["/"]}},
    "limits": {"series": 1000},
}
PARTS = [*FULL.values(), *FULL["logs"], *FULL["probe"].values(), EAST, WEST, SHOP]
KEYS = sorted(
    {key for schema in (CONFIG, INVENTORY) for part in schema.schema["$defs"].values()
     for key in part.get("properties", ())} | {"x"}
)  # fmt: skip
VALUES = (
    st.sampled_from([None, True, False, 0, 1, -1, 80, 65536, 1.5, 2.0, [], {}, "", "-", "shop"])
    | st.sampled_from(["shop/cart", "15s", "0s", "400d", "10.1.0.0/16", "10.1.0.1", "::1", "\n"])
    | st.sampled_from(["cri", "none", "client", "gke", "https", "x:1", "http://x", {"host": True}])
    | st.sampled_from(
        [{"pod": True}, {"upstream": True}, {"route": True}, ["-"], ["a"], ["10.1.0.1:53"]]
    )
    | st.sampled_from(PARTS)
    | st.text(max_size=3)
    | st.from_regex(r"([0-9]{1,4}(d|h|m|s|ms)){1,2}", fullmatch=True)
)


def places(value, path=()):
    """Yield the path of each value within *value*."""
    yield path
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in steps:
            yield from places(inner, (*path, step))


@st.composite
def changed(draw, document):
    """A document that was right, with a few values, keys and entries changed, added or gone."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([place for place in places(document) if place]))
        inside = document
        for step in path:
            inside = inside[step]
        match draw(st.sampled_from(["change", "remove", "add", "move"])):
            case "change":
                inside[last] = draw(VALUES)
            case "remove":
                del inside[last]
            case "move" if isinstance(inside, dict):
                inside[draw(st.sampled_from(KEYS))] = inside.pop(last)
            case _ if isinstance(inside, dict):
                inside[draw(st.sampled_from(KEYS))] = draw(VALUES)
            case _:
                inside.append(draw(VALUES))
        document = copy.deepcopy(document)
        if not any(places(document)):
            break
    return document


@given(changed(FULL))
def test_loader_and_schema_agree_on_any_configuration(document):
    agree(load_config, CONFIG, UNSAID, document)


@given(changed({"inventory": {"kubernetes": {}}, "logs": FULL["logs"]}))
def test_loader_and_schema_agree_on_any_logs(document):
    agree(load_config, CONFIG, UNSAID, document)


@given(changed(WHOLE))
def test_loader_and_schema_agree_on_any_inventory(document):
    agree(load_inventory, INVENTORY, UNSAID_OF_INVENTORY, document)
