"""A certificate authority of the tests' own."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass
class Authority:
    """A certificate authority of the tests' own."""

    folder: Path
    key: EllipticCurvePrivateKey
    name: x509.Name

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, *names: str, days: int = 1) -> ssl.SSLContext:
        """What a server under these names needs; `days` may lie in the past."""
        key = new_key(SECP256R1())
        alternatives = [_alternative(name) for name in names]
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        built = _certificate(subject, self.name, key, days).add_extension(
            x509.SubjectAlternativeName(alternatives), critical=False
        )
        file = self.folder / "server.pem"
        file.write_bytes(
            _pem(key) + built.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    start = now - datetime.timedelta(days=30)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), start,
        now + datetime.timedelta(days=days),
    )  # fmt: skip


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def made_authority(folder: Path) -> Authority:
    """A new one, whose certificate lies in that folder."""
    key = new_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    built = _certificate(name, name, key, 1).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    made = Authority(folder, key, name)
    made.file.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return made
