"""The fake provider's HTTP: pipelined and chunked requests, TLS, and the mode of benches."""

from __future__ import annotations

import datetime
import json
import socket
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from load.fake_provider import FakeProvider
from tests.fake.calls import CHAT, KEY, ask, spoken


def test_pipelined_chunked_and_closing_requests(fake: FakeProvider) -> None:
    body = json.dumps(ask("raw")).encode()
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"
    head %= CHAT.encode(), KEY.encode()
    plain = head + b"content-length: %d\r\n\r\n%s" % (len(body), body)
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    chunked = head + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n" + chunks
    with socket.create_connection(("127.0.0.1", httpx.URL(fake.url).port or 0)) as raw:
        raw.settimeout(5)
        for piece in (plain[:9], plain[9:] + plain + chunked[:-9], chunked[-9:]):
            raw.sendall(piece)
        received = b""
        while data := raw.recv(65_536):
            received += data
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert fake.meter(finished=3)["charged_calls"] == 3


def test_it_ends_with_who_started_it() -> None:
    with FakeProvider() as fake:
        assert fake.process.stdin is not None
        fake.process.stdin.close()
        assert fake.process.wait(5) == 0


def test_tls_and_no_rows(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    options = ("--tls", str(certificate), str(key), "--no-rows", "--stream-chunks", "7")
    with FakeProvider(*options, "--chunk-writes", "batch", "--latency-ms", "1") as fake:
        assert fake.url.startswith("https://")
        with httpx.Client(base_url=fake.url, verify=False, trust_env=False) as http:
            text = http.post(CHAT, json=ask("hi", stream=True)).text
        assert len(spoken(text).split()) == 7
        report = fake.meter(finished=1)
        assert (report["calls"], report["rows"]) == (1, [])
        assert report["charged_nanos"] > 0
        assert fake.requests() == []


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = folder / "cert.pem"
    certificate.write_bytes(
        built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret
