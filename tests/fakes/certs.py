"""Certificates for servers on loopback, and for those who come to them."""

import functools
import ssl

import trustme


@functools.cache
def authority(name="clusterset test"):
    return trustme.CA(organization_name=name)


def pem(ca):
    return ca.cert_pem.bytes().decode()


@functools.cache
def server_context(ca=None, host="127.0.0.1"):
    """Return how a server on loopback proves itself; clients may do so too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or authority()).issue_cert(host).configure_cert(context)
    return context
