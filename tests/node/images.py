"""The images of a node's containers, built by buildah and kept as archives."""

import subprocess
import sys
from pathlib import Path

from tests.image.conftest import BASES, Store
from tests.node.servers import TOOLS

FOLDER = TOOLS / "node-v1"
NGINX_CONF = """\
pid /tmp/nginx.pid;
error_log stderr;
worker_processes 2;
events {}
http {
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
  access_log /dev/stdout main;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen 8080; location / { return 200 "cluster1\\n"; } }
}
"""
EXPORTER = "localhost/clusterset-exporter"
NGINX, PAUSE = "localhost/nginx:1", "localhost/pause:1"


def build(folder):
    """Build the exporter's image and the two it runs beside; return the archives by image."""
    here = Path(__file__).parent
    subprocess.run([here.parent / "image" / "build-base", BASES], check=True)
    subprocess.run([here / "build-images", FOLDER], check=True)
    store = Store(folder)
    store.base("build", "build")
    store.base("final", "final")
    store.build(f"{EXPORTER}:node")
    conf = folder / "nginx.conf"
    conf.write_text(NGINX_CONF)
    _assemble(store, PAUSE, "pause", ("--user", "65535:65535", "--entrypoint", '["/pause"]'))
    run = ("--user", "101:101", "--stop-signal", "SIGQUIT", "--entrypoint")
    command = '["/usr/sbin/nginx", "-g", "daemon off;"]'
    _assemble(store, NGINX, "nginx", (*run, command), (conf, "/etc/nginx/nginx.conf"))
    archives = {}
    for image in (PAUSE, NGINX, f"{EXPORTER}:node"):
        path = folder / f"{image.rpartition('/')[2].replace(':', '-')}.tar"
        store("push", "--quiet", image, f"docker-archive:{path}:{image}")
        archives[image] = path
    return archives


def _assemble(store, image, tar, config, *files):
    container = store("from", "scratch")
    store("add", "--quiet", container, FOLDER / f"{tar}.tar", "/")
    for source, target in files:
        store("copy", "--quiet", container, source, target)
    store("config", *config, container)
    store("commit", "--quiet", container, image)
    store("rm", container)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
