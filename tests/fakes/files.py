"""Configuration and inventory files for tests."""

INVENTORY = """\
clusters:
  - {id: east, pod_cidrs: [10.1.0.0/16]}
  - {id: west, pod_cidrs: [10.2.0.0/16]}
services:
  - namespace: nginx-test
    name: nginx
    ports: [{name: http, port: 8080}]
    exports:
      - {cluster: east, addresses: [127.0.0.1], ready: true}
      - {cluster: west, addresses: [127.0.0.2], ready: true}
"""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {interval: 1s, timeout: 1s, resolvers: ["127.0.0.1:1"]}
logs:
  - {files: ["*.log"], format: main, service: nginx-test/nginx}
"""
WITH_HOST = "'$remote_addr [$time_local] $status $body_bytes_sent \"$http_user_agent\" $host'"
"""A log format with the host of each request, as YAML."""


def line(address, *, status=200, size=10, agent="curl/8.5.0", end="\n"):
    """Return a line of nginx's format main."""
    return (
        f"{address} - - [07/Jul/2022:07:42:11 +0000] "
        f'"GET / HTTP/1.1" {status} {size} "-" "{agent}" "-"{end}'
    )


def write(folder, *, config=CONFIG, inventory=INVENTORY):
    """Write both files; return the configuration's path."""
    (folder / "inventory.yaml").write_text(inventory)
    (folder / "config.yaml").write_text(config)
    return folder / "config.yaml"
