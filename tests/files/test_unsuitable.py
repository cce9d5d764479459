"""No file that is read holds anybody up, whatever stands in its place."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
import trustme

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, FilePlaces
from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.past import FilePart, ReadError, read_blocks
from exporter.apiserver.auth import Kubeconfig
from exporter.apiserver.credentials import InCluster
from exporter.apiserver.errors import CredentialsError
from exporter.commands.check.newest_logs import newest_requests
from exporter.commands.load import load, read_keys
from exporter.commands.run.handover import FILE, Handover
from exporter.config.yaml_reader import SettingsError
from exporter.files.regular import UnsuitableFileError, open_regular
from exporter.files.small_file import read_text
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.probe.nameservers import system_resolvers
from exporter.probe.resolve import Server
from exporter.probe.tls_context import make_context
from exporter.web.auth import WebAuth
from tests.fakes.nouns import NGINX, inventory

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
KUBECONFIG = """
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {%s}}]
current-context: c
"""

CONFIG = """
cluster: east
inventory: {{static: inventory.yaml}}
logs: [{{files: ["{}"], format: main, service: nginx-test/nginx}}]
"""


def sparse(path):
    path.touch()
    os.truncate(path, 1 << 30)


STRANGE = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": lambda path: path.mkdir(),
    "a socket": lambda path: os.mknod(path, 0o600 | stat.S_IFSOCK),
    "1 GiB": sparse,
}
"""What may stand at a path."""


def checkpoint(path):
    keeper = Checkpoint(path.parent / "state", "x", FilePlaces)
    keeper.save(([], {}))
    (saved,) = (path.parent / "state").iterdir()
    saved.unlink()
    path.rename(saved)
    keeper.load()


def web(path, **words):
    made = trustme.CA().issue_cert("127.0.0.1")
    files = {"cert": path.with_name("cert"), "key": path.with_name("key"), "client_ca": None}
    made.cert_chain_pems[0].write_to_path(files["cert"])
    made.private_key_pem.write_to_path(files["key"])
    files |= words
    lines = [f"  {name}_file: {file}\n" for name, file in files.items() if file]
    if files["client_ca"]:
        lines.append("  client_auth_type: RequireAndVerifyClientCert\n")
    config = path.with_name("web.yaml")
    config.write_text("tls_server_config:\n" + "".join(lines))
    WebAuth(config)


def probes(path, **words):
    cert = path.with_name("cert")
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(cert)
    files = {"ca_file": None, "cert_file": cert, "key_file": None} | words
    make_context(verify=True, **files)


def service_account(path, name):
    for each in ("token", "ca.crt", "namespace"):
        if each != name:
            path.with_name(each).write_text("x")
    path.rename(path.with_name(name))
    asyncio.run(InCluster(POD, path.parent).load())


def kubeconfig(path, user=None):
    config = path
    if user is not None:
        config = path.with_name("config")
        config.write_text(KUBECONFIG % user.format(path))
    # With a second file, because one that is not there at all is told before.
    other = path.with_name("other")
    other.write_text(KUBECONFIG % "token: x")
    asyncio.run(Kubeconfig(f"{config}:{other}").load())


READERS = {
    "configuration": read_text,
    "probe key": lambda path: read_keys(str(path)),
    "web configuration": WebAuth,
    "web certificate": lambda path: web(path, cert=path),
    "web key": lambda path: web(path, key=path),
    "web client CA": lambda path: web(path, client_ca=path),
    "probe CA": lambda path: probes(path, ca_file=path),
    "probe certificate": lambda path: probes(path, cert_file=path),
    "probe key of a certificate": lambda path: probes(path, key_file=path),
    "service account token": lambda path: service_account(path, "token"),
    "service account CA": lambda path: service_account(path, "ca.crt"),
    "kubeconfig": kubeconfig,
    "token of a kubeconfig": lambda path: kubeconfig(path, "tokenFile: {}"),
    "checkpoint": checkpoint,
}
REFUSED = (SettingsError, CredentialsError, CheckpointError, OSError)


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_not_a_small_regular_file_is_refused_at_once(tmp_path, read, make):
    path = tmp_path / "strange"
    make(path)
    with pytest.raises(REFUSED, match=r"is not a regular file|is a folder|is larger"):
        read(path)


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_a_strange_handover_file_is_set_aside(tmp_path, make):
    make(tmp_path / FILE)
    Handover(ServiceVerdicts.__new__(ServiceVerdicts), None, None, tmp_path).load()
    assert [path.name for path in tmp_path.iterdir()] == ["handover.bad"]


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_a_strange_resolv_conf_is_as_one_that_is_missing(tmp_path, make):
    make(tmp_path / "resolv.conf")
    assert system_resolvers(tmp_path / "resolv.conf") == (Server("127.0.0.1", 53),)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a directory", "a socket"])
def test_a_strange_access_log_is_said_and_not_read(tmp_path, kind):
    path = tmp_path / "log"
    STRANGE[kind](path)
    assert Follower([str(path)]).poll(1.0).errors == [f"{path}: is not a regular file"]
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(path))
    with pytest.raises(SettingsError, match="log: is not a regular file"):
        list(newest_requests(load(config, None), inventory(), NGINX))


@pytest.mark.parametrize("kind", ["a device", "a directory", "a socket"])
def test_a_strange_log_of_the_past_is_refused(tmp_path, kind):
    STRANGE[kind](tmp_path / "log")
    with pytest.raises(ReadError, match=r"neither a file nor a pipe|is a directory"):
        list(read_blocks(FilePart(str(tmp_path / "log")), read=lambda _: None, cut=lambda: None))


def test_links_are_followed_as_mounts_of_kubernetes_need_it_but_not_to_own_files(tmp_path):
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "config").write_text("text")
    link = tmp_path / "config"
    link.symlink_to(Path("..data") / "config")
    assert read_text(link) == "text"
    with pytest.raises(UnsuitableFileError, match="is not a regular file"):
        open_regular(link, follow=False)
