"""Real gateways in front of a backend: how each is configured, started and read."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from exporter.demo.parts import find_nginx

ISTIO = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
"""Istio's default text, pilot/pkg/model/telemetry_logging.go."""
GATEWAY_FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "x-envoy-origin-path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "x-envoy-upstream-service-time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "x-forwarded-for": "%REQ(X-FORWARDED-FOR)%",
    "user-agent": "%REQ(USER-AGENT)%",
    "x-request-id": "%REQ(X-REQUEST-ID)%",
    ":authority": "%REQ(:AUTHORITY)%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "route_name": "%ROUTE_NAME%",
}
"""Envoy Gateway's default, internal/xds/translator/accesslog.go."""
UPSTREAMINFO = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_length $request_time [shop-cart-80] [] '
    "$upstream_addr $upstream_response_length $upstream_response_time $upstream_status $request_id"
)
"""ingress-nginx's upstreaminfo; what its own modules would write is written out."""
MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'
)


def nginx(folder, log, port, backend, form):
    named = form == "combined"
    (folder / "nginx.conf").write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  {"" if named else f"log_format logged '{form}';"}
  access_log {log} {"combined" if named else "logged"};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{backend}; }} }}
}}
"""
    )
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def apache(folder, log, port, backend, form):
    modules = "/usr/lib/apache2/modules"
    (folder / "apache.conf").write_text(
        f"""ServerRoot {folder}
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ErrorLog {folder}/error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog {log} {form}
ProxyPass / http://127.0.0.1:{backend}/
"""
    )
    return ["apache2", "-X", "-f", folder / "apache.conf"]


def haproxy(folder, _, port, backend, form):
    captured = "\n  ".join(f"capture request header {name} len 128" for name in form or ())
    (folder / "haproxy.cfg").write_text(
        f"""global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option dontlognull
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend web
  bind 127.0.0.1:{port}
  {captured}
  default_backend cart
backend cart
  server one 127.0.0.1:{backend}
"""
    )
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def caddy(folder, log, port, backend, _):
    (folder / "Caddyfile").write_text(
        f"""{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  log {{
    output file {log}
  }}
  reverse_proxy 127.0.0.1:{backend}
}}
"""
    )
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def envoy(folder, log, port, backend, form):
    kind = "type.googleapis.com/envoy.extensions"
    logged = {"@type": f"{kind}.access_loggers.file.v3.FileAccessLog", "path": str(log)}
    if isinstance(form, dict):
        logged["log_format"] = {"json_format": form}
    elif form:
        logged["log_format"] = {"text_format_source": {"inline_string": form}}
    route = {
        "name": "cart",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "cart"}}],
    }
    manager = {
        "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "use_remote_address": True,
        "access_log": [{"name": "file", "typed_config": logged}],
        "route_config": {"virtual_hosts": [route]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{kind}.filters.http.router.v3.Router"},
            }
        ],
    }
    hcm = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"address": _address(port), "filter_chains": [{"filters": [hcm]}]}
    endpoint = {"endpoint": {"address": _address(backend)}}
    cluster = {
        "name": "cart",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "cart", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    config = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    (folder / "envoy.json").write_text(json.dumps(config))
    return [
        *("envoy", "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1"),
        *("--file-flush-interval-msec", "50", "--log-level", "error"),
    ]


def traefik(_, log, port, backend, form):
    return ["traefik-log", form, log, str(port), f"127.0.0.1:{backend}"]


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


GATEWAYS = {
    "nginx-combined": (nginx, "combined"),
    "nginx-main": (nginx, MAIN),
    "ingress-nginx": (nginx, UPSTREAMINFO),
    "apache-combined": (apache, "combined"),
    "apache-common": (apache, "common"),
    "haproxy": (haproxy, None),
    "haproxy-headers": (haproxy, ("Host", "User-Agent")),
    "caddy": (caddy, None),
    "envoy": (envoy, None),
    "istio": (envoy, ISTIO),
    "envoy-gateway": (envoy, GATEWAY_FIELDS),
    "traefik": (traefik, "common"),
    "traefik-json": (traefik, "json"),
}
"""Each with what configures it, and the format that it is given."""
PROGRAMS = {nginx: "nginx", apache: "apache2", haproxy: "haproxy", caddy: "caddy"}
PROGRAMS |= {envoy: "envoy", traefik: "traefik-log"}


def found(name):
    """Return the path of the program of a gateway, None if it is not installed."""
    if GATEWAYS[name][0] is nginx:
        return find_nginx()
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(PROGRAMS[GATEWAYS[name][0]], path=path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(name, folder, backend):
    """Run the gateway *name*; give its port and its log file."""
    configure, form = GATEWAYS[name]
    log, port = folder / "access.log", free_port()
    command = [found(name), *configure(folder, log, port, backend, form)[1:]]
    output = log if configure is haproxy else folder / "output"
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with Path(output).open("wb") as out, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [str(each) for each in command], stdout=out, stderr=errors, env=os.environ | home
        )
        try:
            _wait_for(port, process, folder)
            yield port, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _wait_for(port, process, folder):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    msg = f"it did not start: {(folder / 'errors').read_text()[-500:]}"
    raise RuntimeError(msg)


def logged(log, lines):
    """Return the text of *log* once it has that many lines."""
    end = time.monotonic() + 30
    while True:
        text = log.read_text(errors="surrogateescape") if log.exists() else ""
        if text.count("\n") >= lines or time.monotonic() > end:
            return text
        time.sleep(0.05)
