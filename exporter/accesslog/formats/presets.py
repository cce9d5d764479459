"""
The formats that have a name: one entry a server.

To add one, write what its server documents, where that is written, and the file of lines that the
real server wrote (see tests/gateways). All else follows from this table: the formats that are
tried on a log whose format nobody said, the messages, the tests and the benchmark.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.accesslog.formats import apache, envoy, nginx, proxies
from exporter.accesslog.formats.text import TextFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A format by its name: text, or a map of JSON keys."""

    name: str
    server: str
    """Whose format it is, for people."""
    text: Callable[[], TextFormat] | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    at_end: bool = False
    """Whether the time in a JSON line is the end of the answer; else it is the start."""


UPSTREAMINFO = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
    "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $req_id"
)
"""ingress-nginx, docs/user-guide/nginx-configuration/log-format.md."""
_ENVOY_KEYS = {
    "remote": "downstream_remote_address",
    "status": "response_code",
    "size": "bytes_sent",
    "milliseconds": "duration",
    "time": "start_time",
    "upstream": "upstream_host",
    "upstream_name": "upstream_cluster",
}

_ALL = (
    Preset(name="main", server="nginx's docker image", text=lambda: nginx.read("main")),
    Preset(name="combined", server="nginx", text=lambda: nginx.read("combined")),
    Preset(
        name="nginx",
        server="nginx, main or combined",
        text=lambda: nginx.read("combined", ' "$http_x_forwarded_for"'),
    ),
    Preset(name="ingress-nginx", server="ingress-nginx", text=lambda: nginx.read(UPSTREAMINFO)),
    Preset(name="envoy", server="Envoy", text=lambda: envoy.read(envoy.DEFAULT)),
    Preset(name="istio", server="Istio", text=lambda: envoy.read(envoy.ISTIO)),
    Preset(name="traefik", server="Traefik, common", text=proxies.traefik),
    Preset(name="haproxy", server="HAProxy, httplog", text=proxies.haproxy),
    Preset(
        name="haproxy-headers",
        server="HAProxy, httplog with Host and User-Agent captured",
        text=lambda: proxies.haproxy(proxies.HTTPLOG_WITH_HEADERS),
    ),
    Preset(
        name="apache",
        server="Apache, combined or common",
        text=lambda: apache.read(apache.COMMON, ' "%{Referer}i" "%{User-Agent}i"'),
    ),
    Preset(
        name="envoy-gateway",
        server="Envoy Gateway",
        # internal/xds/translator/accesslog.go
        keys=_ENVOY_KEYS
        | {
            "host": ":authority",
            "path": "x-envoy-origin-path",
            "user_agent": "user-agent",
            "forwarded": "x-forwarded-for",
        },
    ),
    Preset(
        name="istio-json",
        server="Istio, JSON",
        # pilot/pkg/model/telemetry_logging.go
        keys=_ENVOY_KEYS
        | {
            "host": "authority",
            "path": "path",
            "user_agent": "user_agent",
            "forwarded": "x_forwarded_for",
        },
    ),
    Preset(
        name="traefik-json",
        server="Traefik, JSON",
        # pkg/middlewares/accesslog/logdata.go
        keys={
            "remote": "ClientAddr",
            "forwarded": "request_X-Forwarded-For",
            "host": "RequestHost",
            "path": "RequestPath",
            "time": "StartUTC",
            "status": "DownstreamStatus",
            "size": "DownstreamContentSize",
            "nanoseconds": "Duration",
            "user_agent": "request_User-Agent",
            "upstream": "ServiceAddr",
            "upstream_status": "OriginStatus",
            "upstream_name": "ServiceName",
        },
    ),
    Preset(
        name="caddy",
        server="Caddy",
        # modules/caddyhttp/server.go and marshalers.go
        keys={
            "remote": "request.remote_ip",
            "forwarded": "request.headers.X-Forwarded-For",
            "host": "request.host",
            "path": "request.uri",
            "time": "ts",
            "status": "status",
            "size": "size",
            "seconds": "duration",
            "user_agent": "request.headers.User-Agent",
        },
        at_end=True,
    ),
    Preset(
        name="json",
        server="nginx, objects with its variables as keys",
        keys={
            "remote": "remote_addr",
            "forwarded": "http_x_forwarded_for",
            "host": "host",
            "path": "request_uri|request",
            "time": "time_local|time_iso8601|msec",
            "status": "status",
            "size": "body_bytes_sent|bytes_sent",
            "seconds": "request_time|upstream_response_time",
            "user_agent": "http_user_agent",
            "upstream": "upstream_addr",
            "upstream_status": "upstream_status",
            "upstream_name": "proxy_upstream_name",
        },
        at_end=True,
    ),
)
PRESETS = {preset.name: preset for preset in _ALL}
