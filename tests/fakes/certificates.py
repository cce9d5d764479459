"""Chains of certificates in which each has an end of its own, which trustme cannot make."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.now(UTC).replace(microsecond=0)


class Issuer:
    """
    A certificate authority.

    Args:
        end: When its certificate ends.
        issuer: Who signs it; None for a root.
    """

    def __init__(self, end: datetime, issuer: "Issuer | None" = None) -> None:
        self.name = x509.Name.from_rfc4514_string(f"CN=issuer until {end:%Y-%m-%d}")
        self.key = ec.generate_private_key(ec.SECP256R1())
        by = issuer or self
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = by.sign(self.name, self.key, end, constraints)

    def sign(self, name, key, end, *extensions):
        """Return a certificate of *key* that is signed by this authority."""
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=900))
            .not_valid_after(end)
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(self.key, hashes.SHA256())

    def issue(self, host, end):
        """Return the certificate and the key of a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.DNSName(host)])
        return self.sign(x509.Name([]), key, end, name), key


def pem(*certificates):
    """Return certificates, or a key, as PEM."""
    return b"".join(
        each.public_bytes(Encoding.PEM)
        if isinstance(each, x509.Certificate)
        else each.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for each in certificates
    )
