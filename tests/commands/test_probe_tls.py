"""Files that no context can be made of: one line says which, and why."""

import ssl

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from exporter.commands.probe_tls import tls_context
from exporter.config.http_settings import TlsSettings
from exporter.config.yaml_reader import SettingsError

CA = trustme.CA()
ONE, OTHER = CA.issue_cert("one.example"), CA.issue_cert("other.example")
KEY = serialization.load_pem_private_key(ONE.private_key_pem.bytes(), None)


def encrypted(kind):
    secret = serialization.BestAvailableEncryption(b"secret")
    return KEY.private_bytes(serialization.Encoding.PEM, kind, secret)


CERT = ONE.cert_chain_pems[0].bytes()
FILES = {
    "cert": CERT,
    "key": ONE.private_key_pem.bytes(),
    "both": CERT + ONE.private_key_pem.bytes(),
    "torn": CERT + OTHER.private_key_pem.bytes(),
    "other": OTHER.private_key_pem.bytes(),
    "pkcs8": encrypted(serialization.PrivateFormat.PKCS8),
    "old": encrypted(serialization.PrivateFormat.TraditionalOpenSSL),
    "der": ssl.PEM_cert_to_DER_cert(CERT.decode()),
    "empty": b"",
    "cut": CERT[:200] + b"\n-----END CERTIFICATE-----\n",
    "ca": CA.cert_pem.bytes(),
}


@pytest.fixture
def named(tmp_path):
    for name, raw in FILES.items():
        (tmp_path / name).write_bytes(raw)

    def named(**files):
        return TlsSettings(**{key: str(tmp_path / name) for key, name in files.items()})

    return named


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"cert_file": "cert"},
            "cert_file cert cannot be used: holds no private key in PEM format",
        ),
        (
            {"cert_file": "cert", "key_file": "other"},
            "key_file other cannot be used: is not the key of the certificate in cert",
        ),
        (
            {"cert_file": "torn"},
            "cert_file torn cannot be used: is not the key of the certificate in torn",
        ),
        (
            {"cert_file": "cert", "key_file": "pkcs8"},
            "key_file pkcs8 cannot be used: holds an encrypted key; decrypt it",
        ),
        (
            {"cert_file": "cert", "key_file": "old"},
            "key_file old cannot be used: holds an encrypted key; decrypt it",
        ),
        (
            {"cert_file": "der", "key_file": "key"},
            "cert_file der cannot be used: holds no certificate in PEM format",
        ),
        (
            {"cert_file": "key", "key_file": "cert"},
            "cert_file key cannot be used: holds no certificate in PEM format",
        ),
        (
            {"cert_file": "cert", "key_file": "gone"},
            "key_file gone cannot be used: No such file or directory",
        ),
        ({"cert_file": "gone"}, "cert_file gone cannot be used: No such file or directory"),
        ({"ca_file": "empty"}, "ca_file empty cannot be used: holds no certificate in PEM format"),
        ({"ca_file": "gone"}, "ca_file gone cannot be used: No such file or directory"),
    ],
)
def test_a_message_names_the_file_and_the_fault(named, tmp_path, files, message):
    with pytest.raises(SettingsError) as error:
        tls_context(named(**files), "config.yaml")
    assert str(error.value).replace(f"{tmp_path}/", "") == f"config.yaml: tls_config: {message}"


@pytest.mark.parametrize("files", [{"cert_file": "cut", "key_file": "key"}, {"ca_file": "cut"}])
def test_a_certificate_that_is_cut(named, files):
    with pytest.raises(SettingsError, match=r"^config\.yaml: tls_config: .*cut.* cannot be used: "):
        tls_context(named(**files), "config.yaml")


@pytest.mark.parametrize(
    "files", [{"cert_file": "both"}, {"cert_file": "cert", "key_file": "key"}, {"ca_file": "ca"}]
)
def test_what_can_be_used(named, files):
    context = tls_context(named(**files), "config.yaml")
    assert context.verify_mode is ssl.CERT_REQUIRED
