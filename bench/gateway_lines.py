"""
Lines as each gateway writes them, of requests whose truth is known.

A request is a dict: address, path, status, size (of the body), agent, host, took (seconds), and at
(unix seconds). Each writer escapes the user agent as its server does. That these lines look like
those of the real servers is what tests/accesslog/formats/test_generated.py compares.
"""

import json
from datetime import UTC, datetime

HOST = "cart.shop.svc.clusterset.local"


def clf(at):
    return datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def iso(at):
    made = datetime.fromtimestamp(at, UTC)
    return f"{made:%Y-%m-%dT%H:%M:%S}.{made.microsecond // 1000:03}Z"


def hex_escaped(text):
    """Escape as nginx does."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02X}" for c in text)


def backslashed(text):
    """Escape as Apache does."""
    kept = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in kept)


def hashed(text):
    """Escape as HAProxy does in captured headers."""
    return "".join(c if " " <= c <= "~" and c not in '"#{|}' else f"#{ord(c):02X}" for c in text)


def port(r):
    address = r["address"]
    return f"[{address}]:51234" if ":" in address else f"{address}:51234"


def combined(r):
    return (
        f'{r["address"]} - - [{clf(r["at"])}] "GET {r["path"]} HTTP/1.1" {r["status"]} {r["size"]} '
        f'"-" "{hex_escaped(r["agent"])}"'
    )


def main(r):
    return combined(r) + ' "-"'


def ingress_nginx(r):
    return (
        f"{combined(r)} 512 {r['took']:.3f} [shop-cart-80] [] 10.1.9.9:8080 {r['size']} "
        f"{r['took']:.3f} {r['status']} 1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d"
    )


def apache(r):
    return (
        f'{r["address"]} - - [{clf(r["at"])}] "GET {r["path"]} HTTP/1.1" {r["status"]} '
        f'{r["size"] or "-"} "-" "{backslashed(r["agent"])}"'
    )


def envoy(r):
    return (
        f'[{iso(r["at"])}] "GET {r["path"]} HTTP/1.1" {r["status"]} - 0 {r["size"]} '
        f'{r["took"] * 1000:.0f} 1 "{r["address"]}" "{r["agent"]}" '
        f'"9a24b4d7-f122-47f2-8f73-6640d6ba4370" "{HOST}" "10.1.9.9:8080"'
    )


def istio(r):
    return (
        f'[{iso(r["at"])}] "GET {r["path"]} HTTP/1.1" {r["status"]} - via_upstream - "-" 0 '
        f'{r["size"]} {r["took"] * 1000:.0f} 1 "{r["address"]}" "{r["agent"]}" '
        f'"9a24b4d7-f122-47f2-8f73-6640d6ba4370" "{HOST}" "10.1.9.9:8080" '
        f"outbound|80||{HOST} 10.1.8.8:37154 10.1.8.8:80 {port(r)} - default"
    )


def gateway(r):
    return json.dumps(
        {
            ":authority": HOST,
            "bytes_received": 0,
            "bytes_sent": r["size"],
            "connection_termination_details": None,
            "downstream_local_address": "10.1.8.8:80",
            "downstream_remote_address": port(r),
            "duration": round(r["took"] * 1000),
            "method": "GET",
            "protocol": "HTTP/1.1",
            "requested_server_name": None,
            "response_code": r["status"],
            "response_code_details": "via_upstream",
            "response_flags": "-",
            "route_name": "httproute/shop/cart/rule/0/match/0/*",
            "start_time": iso(r["at"]),
            "upstream_cluster": "httproute/shop/cart/rule/0",
            "upstream_host": "10.1.9.9:8080",
            "upstream_local_address": "10.1.8.8:34902",
            "upstream_transport_failure_reason": None,
            "user-agent": r["agent"],
            "x-envoy-origin-path": r["path"],
            "x-envoy-upstream-service-time": "1",
            "x-forwarded-for": r["address"],
            "x-request-id": "9a24b4d7-f122-47f2-8f73-6640d6ba4370",
        },
        separators=(",", ":"),
    )


def traefik(r):
    agent = r["agent"].replace('"', '\\"') or "-"
    return (
        f'{r["address"]} - - [{clf(r["at"])}] "GET {r["path"]} HTTP/1.1" {r["status"]} {r["size"]} '
        f'"-" "{agent}" 17 "cart@file" "http://10.1.9.9:8080" {r["took"] * 1000:.0f}ms'
    )


def traefik_json(r):
    spent = int(r["took"] * 1e9)
    return json.dumps(
        {
            "ClientAddr": port(r),
            "ClientHost": r["address"],
            "ClientPort": "51234",
            "ClientUsername": "-",
            "DownstreamContentSize": r["size"],
            "DownstreamStatus": r["status"],
            "Duration": spent,
            "OriginContentSize": r["size"],
            "OriginDuration": spent,
            "OriginStatus": r["status"],
            "Overhead": 0,
            "RequestAddr": HOST,
            "RequestCount": 17,
            "RequestHost": HOST,
            "RequestMethod": "GET",
            "RequestPath": r["path"],
            "RequestPort": "-",
            "RequestProtocol": "HTTP/1.1",
            "RequestScheme": "http",
            "RetryAttempts": 0,
            "RouterName": "cart@file",
            "ServiceAddr": "10.1.9.9:8080",
            "ServiceName": "cart@file",
            "ServiceURL": "http://10.1.9.9:8080",
            "StartLocal": iso(r["at"]),
            "StartUTC": iso(r["at"]),
            "entryPointName": "web",
            "level": "info",
            "msg": "",
            "request_User-Agent": r["agent"],
            "time": iso(r["at"]),
        },
        separators=(",", ":"),
    )


def haproxy(r, captured=""):
    spent = round(r["took"] * 1000)
    stamp = f"{clf(r['at'])[:20]}.000"
    return (
        f"{r['address']}:51234 [{stamp}] web cart/one 0/0/0/{spent}/{spent} {r['status']} "
        f'{r["size"]} - - ---- 1/1/0/0/0 0/0 {captured}"GET {r["path"]} HTTP/1.1"'
    )


def haproxy_headers(r):
    return haproxy(r, f"{{{HOST}|{hashed(r['agent'])}}} ")


def caddy(r):
    return json.dumps(
        {
            "level": "info",
            "ts": r["at"],
            "logger": "http.log.access.log0",
            "msg": "handled request",
            "request": {
                "remote_ip": r["address"],
                "remote_port": "51234",
                "proto": "HTTP/1.1",
                "method": "GET",
                "host": HOST,
                "uri": r["path"],
                "headers": {"User-Agent": [r["agent"]], "Accept": ["*/*"]},
            },
            "user_id": "",
            "duration": r["took"],
            "size": r["size"],
            "status": r["status"],
            "resp_headers": {"Server": ["Caddy"], "Content-Length": [str(r["size"])]},
        },
        separators=(",", ":"),
    )


WRITE = {
    "combined": combined,
    "main": main,
    "nginx": main,
    "ingress-nginx": ingress_nginx,
    "apache": apache,
    "envoy": envoy,
    "istio": istio,
    "envoy-gateway": gateway,
    "traefik": traefik,
    "traefik-json": traefik_json,
    "haproxy": haproxy,
    "haproxy-headers": haproxy_headers,
    "caddy": caddy,
}
