"""Fuzz targets: files of operators, and files that a process left behind."""

import json
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, FilePlaces
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf
from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.syslog import Endpoint
from exporter.apiserver import kubeconfig
from exporter.apiserver.auth import Kubeconfig
from exporter.apiserver.errors import CredentialsError
from exporter.apiserver.transport import ssl_context
from exporter.config.settings import parse_settings
from exporter.config.yaml_reader import SettingsError, parse_struct
from exporter.discover.static import read_inventory
from exporter.probe.nameservers import system_resolvers
from exporter.web.auth import _decode
from exporter.web.tls import tls_context
from exporter.web.web_settings import WebSettings
from tests.fuzz.harness import Target, text
from tests.judge.test_handover import FAILED, UNIX, standby

SOURCE = "log of a test"
YAML = (
    b"cluster: east\n",
    b"inventory: {static: inventory.yaml}\n",
    b"!!int ",
    b"&a [*a]",
    b"9" * 400,
    b"0b_",
    b"2001-99-99",
    b"<<: ",
    b"\t",
    b"[" * 30,
    b"250ms",
    b"10.1.0.0/16",
)


@cache
def folder() -> Path:
    """Return a folder for the files of this process."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def written(data: bytes, name: str) -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


def config(data: bytes) -> None:
    settings = parse_settings(text(data), source="config.yaml")
    for entry in settings.logs:
        form = entry.format
        if isinstance(form, str) or form.nginx_conf is None:
            compile_log(form if isinstance(form, str) else form.map)
        if entry.syslog is not None:
            with suppress(ValueError):
                Endpoint.parse(entry.syslog)


def static_inventory(data: bytes) -> None:
    read_inventory(written(data, "inventory.yaml"), "east")


def web_config(data: bytes) -> None:
    settings = parse_struct(text(data), WebSettings, source="web.yaml", dec_hook=_decode)
    tls = settings.tls_server_config
    if not (tls.cert_file or tls.key_file or tls.client_ca_file):
        tls_context(tls, folder())


def nginx_conf(data: bytes) -> None:
    # An include could name any file of this machine.
    if b"include" not in data:
        read_nginx_conf(written(data, "nginx.conf"), None)


def resolv_conf(data: bytes) -> None:
    assert 1 <= len(system_resolvers(written(data, "resolv.conf"))) <= 3


def checkpoint(data: bytes) -> None:
    """What stands where a checkpoint should, then a reader that goes on with it."""
    keeper = Checkpoint(folder(), SOURCE, FilePlaces)
    keeper._path.write_bytes(data)
    saved = keeper.load()
    follower = Follower([str(folder() / "*.log")], None if saved is None else saved.places)
    follower.poll(0.0)
    keeper.save(FilePlaces(follower.places(), {} if saved is None else saved.parts))
    follower.close()


def handover(data: bytes) -> None:
    """What a predecessor left, taken over, and left again."""
    after = standby()
    after.take_over(text(data), 100.0, 90.0, **FAILED)
    after.see("abAB")
    for move in after.moves:
        assert {move.from_cluster, move.to_cluster} <= {"a", "b", "c", "d"}, move
    again = after.verdicts.snapshot(after.now, UNIX + after.now)
    assert standby().take_over(again, 200.0, 190.0).see("a")


def kubeconfig_file(data: bytes) -> None:
    """
    A kubeconfig, and the credentials that the daemon makes of it.

    The official client reads it in a process of its own, so that one may end with any exception.
    """
    # A plugin would be a command that runs here.
    if b"exec" in data or b"provider" in data or b"\\" in data:
        return
    path = written(data, "kubeconfig")
    try:
        found = json.dumps(kubeconfig.read(str(path), None))
    except (Exception, SystemExit):  # noqa: BLE001
        return
    ssl_context(Kubeconfig(str(path))._made_of(found.encode()))


TARGETS = (
    Target(
        name="config",
        check=config,
        errors=(SettingsError, FormatError),
        words=(*YAML, b"probe:", b"logs: [{files: [a], format: '", b"expect_body: '(a{9"),
    ),
    Target(
        name="inventory",
        check=static_inventory,
        errors=(SettingsError,),
        words=(*YAML, b"clusters:", b"services:", b"exports:", b"addresses: [100.1.0.10]"),
    ),
    Target(
        name="web-config",
        check=web_config,
        errors=(SettingsError,),
        words=(*YAML, b"tls_server_config:", b"basic_auth_users:", b"-----BEGIN CERTIFICATE-----"),
    ),
    Target(
        name="nginx-conf",
        check=nginx_conf,
        errors=(NginxConfError,),
        words=(b"log_format main '$remote_addr';", b"access_log /a main;", b"http {", b"}"),
    ),
    Target(name="resolv-conf", check=resolv_conf, words=(b"nameserver ", b"10.96.0.10\n")),
    Target(
        name="checkpoint",
        check=checkpoint,
        errors=(CheckpointError,),
        words=(b'{"version":1,"source":"log of a test","kept":', b'"offset":', b"[[],{}]"),
    ),
    Target(
        name="handover",
        check=handover,
        words=(b'{"version":1,"services":[', b'"name":"nginx-test/nginx"', b'"serving":"a"'),
    ),
    Target(
        name="kubeconfig",
        check=kubeconfig_file,
        errors=(CredentialsError,),
        words=(*YAML, b"clusters:", b"users:", b"server: http", b"token: x", b"namespace:"),
    ),
)
