"""The TLS contexts of probes, made of files with certificates and keys."""

import errno
import re
import ssl
from functools import lru_cache
from pathlib import Path

from exporter.files.in_memory import in_memory
from exporter.files.regular import read_regular

MAX_FILE = 4 << 20
"""Bytes of a certificate file. The CAs of a whole system take 250 KiB."""
_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def make_context(
    *, ca_file: Path | None, cert_file: Path | None, key_file: Path | None, verify: bool
) -> ssl.SSLContext:
    """
    Return the context of the connections of probes. Reads files.

    Raises:
        OSError: If a file, which `filename` names, cannot be read, or holds no certificate or key,
            or not the key of the certificate; `strerror` says which.
    """
    if ca_file is None:
        context = ssl.create_default_context()
    else:
        trusted = read_regular(ca_file, MAX_FILE)
        _require(_CERTIFICATE.search(trusted), ca_file, "holds no certificate in PEM format")
        with in_memory(trusted) as trusted_path:
            context = ssl.create_default_context(cafile=trusted_path)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None:
        _load_client_certificate(context, cert_file, key_file or cert_file)
    return context


def _load_client_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    chain = read_regular(cert_file, MAX_FILE)
    key = chain if key_file == cert_file else read_regular(key_file, MAX_FILE)
    _require(_CERTIFICATE.search(chain), cert_file, "holds no certificate in PEM format")
    _require(_KEY.search(key), key_file, "holds no private key in PEM format")
    _require(b"ENCRYPTED" not in key, key_file, "holds an encrypted key; decrypt it")
    try:
        with in_memory(chain) as chain_path, in_memory(key) as key_path:
            # Without a password, Python would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(chain_path, key_path, password="")
    except ssl.SSLError as error:
        mismatch = (error.reason or "").endswith("_MISMATCH")
        _require(not mismatch, key_file, f"is not the key of the certificate in {cert_file}")
        raise


def _require(condition: object, file: Path, message: str) -> None:
    """Raise an OSError about *file* unless *condition* is true."""
    if not condition:
        raise OSError(errno.EINVAL, message, str(file))


@lru_cache(1)
def blind_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate, to inspect it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
