"""Where credentials come from; a kubeconfig is read by the official client, in its own process."""

import base64
import os
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from exporter.apiserver.auth import Kubeconfig, find
from exporter.apiserver.credentials import Credentials, InCluster
from exporter.apiserver.errors import CredentialsError
from tests.fakes import certs

pytestmark = [pytest.mark.real_time, pytest.mark.slow]
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path):
    (tmp_path / "token").write_text("abc.def\n")
    (tmp_path / "ca.crt").write_text(certs.pem(certs.authority()))
    (tmp_path / "namespace").write_text("mon")
    return tmp_path


async def test_a_pod_finds_its_service_account(account):
    found = await InCluster(POD, account).load()
    assert found == Credentials(
        server="https://10.0.0.1:443",
        origin=f"service account in {account}",
        namespace="mon",
        fresh_for=60.0,
        authorization="Bearer abc.def",
        ca=certs.pem(certs.authority()).strip(),
    )
    assert "abc.def" not in repr(found)


async def test_an_ipv6_host_is_put_in_brackets(account):
    found = await InCluster(POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, account).load()
    assert found.server == "https://[fd00::1]:443"


async def test_a_pod_without_a_namespace_file_is_in_default(account):
    (account / "namespace").unlink()
    assert (await InCluster(POD, account).load()).namespace == "default"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("token", b"", "token: is empty"),
        ("token", b"\n", "token: is empty"),
        ("token", b"abc\r\nX-Evil: 1", "the token has characters that no token has"),
        ("token", b"abc\x00", "the token has characters that no token has"),
        ("token", b"ab\xffc", "token: is not plain ASCII text"),
        ("token", b"x" * ((1 << 20) + 1), "token: is larger than 1048576 bytes"),
        ("token", None, "token: No such file or directory; mount the service account token"),
        ("ca.crt", b"", "ca.crt: is empty"),
        ("ca.crt", None, "ca.crt: No such file"),
    ],
)
async def test_what_is_wrong_with_a_service_account_is_said(account, name, content, message):
    (account / name).unlink()
    if content is not None:
        (account / name).write_bytes(content)
    with pytest.raises(CredentialsError, match=message):
        await InCluster(POD, account).load()


async def test_a_pipe_in_place_of_the_token_holds_nobody_up(account):
    (account / "token").unlink()
    os.mkfifo(account / "token")
    with pytest.raises(CredentialsError, match="token: is not a regular file"):
        await InCluster(POD, account).load()


@pytest.mark.parametrize("secret", ["authorization", "certificate"])
def test_nothing_secret_goes_to_a_url_that_is_not_https(secret):
    with pytest.raises(CredentialsError, match="http://here is not https"):
        Credentials(server="http://here", origin="test", **{secret: "x"})
    assert Credentials(server="http://here", origin="test").server == "http://here"


def kubeconfig(path, *, user=None, **cluster):
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.9.8.7:6443"} | cluster}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config"


def plugin(path, *, status=None, code="pass"):
    """Return a user whose credentials a program gives."""
    reply = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    path.write_text(f"import json\n{code}\nprint(json.dumps({reply | {'status': status}!r}))")
    run = {"command": sys.executable, "args": [str(path)]}
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1"} | run}


async def test_a_kubeconfig_with_a_token(path):
    ca = certs.pem(certs.authority())
    text = kubeconfig(
        path,
        user={"token": "abc"},
        **{
            "certificate-authority-data": base64.b64encode(ca.encode()).decode(),
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy:3128",
        },
    )
    found = await Kubeconfig(text, "two").load()
    assert found == Credentials(
        server="https://10.9.8.7:6443",
        origin=f"kubeconfig {path}",
        namespace="shop",
        authorization="Bearer abc",
        ca=ca,
        server_name="kubernetes",
        proxy="http://proxy:3128",
    )


async def test_a_kubeconfig_with_a_client_certificate_beside_it(path):
    issued = certs.authority().issue_cert("me")
    issued.private_key_pem.write_to_path(path.parent / "me.key")
    issued.cert_chain_pems[0].write_to_path(path.parent / "me.crt")
    text = kubeconfig(path, user={"client-certificate": "me.crt", "client-key": "me.key"})
    found = await Kubeconfig(text).load()
    assert found.certificate == issued.cert_chain_pems[0].bytes().decode()
    assert found.key == issued.private_key_pem.bytes().decode()
    assert (found.authorization, found.namespace) == (None, "default")


async def test_files_are_merged_as_kubectl_does(path):
    other = path.with_name("other")
    kubeconfig(other, user={"token": "other"})
    text = kubeconfig(path, user={"token": "first"})
    assert (await Kubeconfig(f"{text}:{other}").load()).authorization == "Bearer first"


async def test_an_exec_plugin_gives_a_token_that_expires(path):
    expires = datetime.now(UTC) + timedelta(hours=1)
    status = {"token": "t", "expirationTimestamp": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
    text = kubeconfig(path, user=plugin(path.with_name("plugin.py"), status=status))
    found = await Kubeconfig(text).load()
    assert found.authorization == "Bearer t"
    assert 3400 < found.fresh_for < 3541


async def test_a_plugin_that_fails_leaves_nobody_unauthenticated(path):
    code = "import sys; sys.exit('log in first')"
    text = kubeconfig(path, user=plugin(path.with_name("plugin.py"), code=code))
    with pytest.raises(CredentialsError, match=r"neither a token nor a .* log in first"):
        await Kubeconfig(text).load()


async def test_a_kubeconfig_without_credentials_is_refused(path):
    with pytest.raises(CredentialsError, match=r"neither a token nor a .*: the user has none"):
        await Kubeconfig(kubeconfig(path)).load()


async def test_a_token_for_a_server_without_tls_is_refused(path):
    text = kubeconfig(path, user={"token": "abc"}, server="http://10.9.8.7")
    with pytest.raises(CredentialsError, match=r"http://10.9.8.7 is not https"):
        await Kubeconfig(text).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "file is empty"), ("a: [", "config"), ("current-context: x", "Expected")],
)
async def test_a_broken_kubeconfig_is_a_line(path, content, message):
    path.write_text(content)
    with pytest.raises(CredentialsError, match=f"{path}: .*{message}") as caught:
        await Kubeconfig(str(path)).load()
    assert "\n" not in str(caught.value)


async def test_which_credentials_are_used(path, account):
    text = kubeconfig(path, user={"token": "abc"})
    assert isinstance(await find(POD, directory=account), InCluster)
    assert isinstance(await find(POD, directory=account, kubeconfig=text), Kubeconfig)
    assert isinstance(await find({"KUBECONFIG": f"/no:{text}"}), Kubeconfig)
    # A pod without a token mounted.
    source = await find(POD | {"KUBECONFIG": text}, directory=path.parent / "none")
    assert isinstance(source, Kubeconfig)
    with pytest.raises(CredentialsError, match="/no: no such file; give --kubeconfig, set KUBE"):
        await find(POD, kubeconfig="/no")
