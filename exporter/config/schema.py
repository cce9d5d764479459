"""
The JSON Schema of the configuration file: its types, and what its classes refuse besides.

Each rule here repeats one of a `__post_init__`, as far as a JSON Schema can say it. A test holds
the two against each other.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from exporter.config import http_settings
from exporter.config.log_settings import FormatSettings, LogSettings, PodLogSettings, ServiceSource
from exporter.config.patterns import DOMAIN, NAMED_SERVICE, ONE_LABEL, SCHEMAS, whole
from exporter.config.probe_settings import FastSettings, ProbeSettings, ServiceRule
from exporter.config.scalars import MAX_PORT
from exporter.config.settings import InventorySettings, KubernetesSettings, Settings

SchemaPart = dict[str, Any]


def schema_of(kind: type, rules: Mapping[type, Iterable[SchemaPart]]) -> dict[str, Any]:
    """
    Return the JSON Schema of a file.

    Args:
        kind: The class of the whole file.
        rules: What the class of each part refuses besides wrong types.
    """
    made = msgspec.json.schema(kind, schema_hook=SCHEMAS.__getitem__)
    for part, more in rules.items():
        made["$defs"][part.__name__]["allOf"] = list(more)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    made = schema_of(Settings, _RULES)
    for kind in (Settings, ProbeSettings, FastSettings):
        for each in msgspec.structs.fields(kind):
            if each.default_factory is not msgspec.NODEFAULT:
                plain = msgspec.to_builtins(each.default_factory(), enc_hook=str)
                made["$defs"][kind.__name__]["properties"][each.encode_name]["default"] = plain
    return made


def values(**schemas: SchemaPart) -> SchemaPart:
    """Return the rule that the value of each key, if there is one, has this schema."""
    return {"properties": schemas}


def has(key: str, schema: SchemaPart) -> SchemaPart:
    """Return the rule that there is a *key* and that its value has this schema."""
    return {"required": [key], "properties": {key: schema}}


def _set(key: str) -> SchemaPart:
    return has(key, {"not": {"type": "null"}})


def _when(
    condition: SchemaPart, then: SchemaPart, otherwise: SchemaPart | None = None
) -> SchemaPart:
    made = {"if": condition, "then": then}
    return made if otherwise is None else {**made, "else": otherwise}


_TEXT: SchemaPart = {"type": "string", "minLength": 1}
_URL = whole("https?://[!-~]+")
PORT: SchemaPart = {"minimum": 1, "maximum": MAX_PORT}

_BY_POD = has("service", {"type": "object", **has("pod", {"const": True})})
_BY_ROUTE = has("service", {"type": "object", **has("route", {"const": True})})
_PODS = _set("pods")
_LABELLED_PODS = has("pods", {"type": "object", **_set("selector")})
_PODS_OF_SERVICES: SchemaPart = {"allOf": [_PODS, {"not": _LABELLED_PODS}]}
_FILES = has("files", {"minItems": 1})
_SYSLOG = has("syslog", _TEXT)
_FROM_NGINX = has("format", {"type": "object", **_set("nginx_conf")})
_HOSTS = has("services", {"minProperties": 1})
_KUBERNETES = values(inventory=_set("kubernetes"))

_LOG: tuple[SchemaPart, ...] = (
    values(
        wrapper={"enum": ["none", "cri", "docker"]},
        service=NAMED_SERVICE,
        services={"additionalProperties": NAMED_SERVICE},
    ),
    {"anyOf": [_FILES, _SYSLOG, _PODS, _FROM_NGINX]},
    *({"not": {"allOf": pair}} for pair in ([_FILES, _SYSLOG], [_FILES, _PODS], [_SYSLOG, _PODS])),
    _when(_PODS_OF_SERVICES, {"not": _set("service")}, {"anyOf": [_set("service"), _HOSTS]}),
    _when(_PODS, values(wrapper={"const": "none"})),
    _when(
        _BY_POD,
        {
            "allOf": [
                _FILES,
                values(files={"not": {"contains": {"const": "-"}}}),
                has("wrapper", {"enum": ["cri", "docker"]}),
            ]
        },
    ),
    _when(
        _HOSTS, {"not": {"anyOf": [has("service", {"type": "string"}), _BY_POD, _PODS_OF_SERVICES]}}
    ),
)

_KEYS = [key for key in FormatSettings.__struct_fields__ if key not in {"nginx_conf", "name"}]
_FORMAT: tuple[SchemaPart, ...] = (
    values(**{key: {"pattern": '^[^"]*$'} for key in _KEYS}),
    _when(
        _set("nginx_conf"),
        {"not": {"anyOf": [_set(key) for key in _KEYS]}},
        {"anyOf": [_set(key) for key in _KEYS], "not": _set("name")},
    ),
)

_TAKEN = "|".join(http_settings.OURS | http_settings.SECRET)


def _any_case(pattern: str) -> str:
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in pattern)


_HTTP = values(
    scheme={"enum": ["http", "https"]},
    port=PORT,
    path=whole("/[!-~]*"),
    method={"enum": ["GET", "HEAD"]},
    expect_status={"minItems": 1, "items": whole("[1-5](?:xx|[0-9]{2})")},
    host=whole("[!-~]+"),
    headers={
        "items": whole(rf"(?!(?:{_any_case(_TAKEN)}):)[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\x20-\x7e]*")
    },
)

_RULES: Mapping[type, tuple[SchemaPart, ...]] = {
    Settings: (
        values(
            cluster=ONE_LABEL,
            clusterset_domain=DOMAIN,
            log_probes=NAMED_SERVICE,
            dashboard_url=_URL,
            runbook_url=_URL,
            logs={"contains": _PODS_OF_SERVICES, "minContains": 0, "maxContains": 1},
        ),
        _when(has("logs", {"contains": {"anyOf": [_PODS, _BY_POD, _BY_ROUTE]}}), _KUBERNETES),
    ),
    InventorySettings: (
        values(static={"minLength": 1}),
        {"oneOf": [_set("static"), _set("kubernetes")]},
    ),
    KubernetesSettings: (
        values(
            namespaces={"minItems": 1},
            watch_namespaces={"items": ONE_LABEL},
            submariner_namespace=ONE_LABEL,
        ),
    ),
    ServiceRule: (values(match={"pattern": "/"}),),
    http_settings.HttpSettings: (_HTTP,),
    http_settings.HttpChange: (_HTTP,),
    http_settings.TcpSettings: (values(port=PORT),),
    http_settings.TlsSettings: (_when(has("key_file", _TEXT), has("cert_file", _TEXT)),),
    LogSettings: _LOG,
    FormatSettings: _FORMAT,
    PodLogSettings: (
        values(namespace=ONE_LABEL, selector={"pattern": r"\S"}),
        _when(
            {"anyOf": [_set("namespace"), _set("selector")]},
            {"allOf": [_set("namespace"), _set("selector")]},
        ),
    ),
    ServiceSource: (
        {"oneOf": [has(key, {"const": True}) for key in ServiceSource.__struct_fields__]},
    ),
}
