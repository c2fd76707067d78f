"""The handshake of a WebSocket: what is one, what is a bad one, and what answers it."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, WrongVersion
from penstock.wire.http import Request
from penstock.wire.websocket import accept_of, asks, key_of, proves, switches

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SOUND = {
    "connection": "keep-alive, Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": KEY,
}


def handshake(
    *more: tuple[str, str], method: str = "GET", body: bytes = b"", **changed: str
) -> Request:
    named = SOUND | {name.replace("_", "-"): value for name, value in changed.items()}
    headers = [*((name, value) for name, value in named.items() if value != "-"), *more]
    return Request(method, b"/", headers=headers, body=body)


def test_the_proof_is_that_of_the_rfc() -> None:
    assert accept_of(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "request_",
    [
        handshake(),
        handshake(connection="UPGRADE", upgrade="WebSocket"),
        handshake(upgrade="h2c, websocket"),
        handshake(("connection", "x")),
        handshake(("content-length", "0")),
        handshake(("sec-websocket-protocol", "a, b"), ("sec-websocket-extensions", "x; y=1")),
    ],
)
def test_a_sound_handshake(request_: Request) -> None:
    assert asks(request_)
    assert key_of(request_) == KEY


@pytest.mark.parametrize(
    "request_",
    [
        handshake(method="POST"),
        handshake(method="get"),
        handshake(upgrade="websockets"),
        handshake(upgrade="web socket"),
        handshake(upgrade="websocket/13"),
        handshake(upgrade="h2c"),
        handshake(upgrade=""),
        handshake(upgrade="-"),
        handshake(connection="-"),
        handshake(connection="keep-alive"),
        handshake(connection="upgraded"),
    ],
)
def test_what_asks_for_no_websocket(request_: Request) -> None:
    assert not asks(request_)


@pytest.mark.parametrize("version", ["-", "", "8", "13, 8", "013", "+13", "13.0"])
def test_only_version_13_is_spoken_and_said_so(version: str) -> None:
    with pytest.raises(WrongVersion) as refused:
        key_of(handshake(sec_websocket_version=version))
    assert ("sec-websocket-version", "13") in refused.value.headers


@pytest.mark.parametrize(
    "request_",
    [
        handshake(sec_websocket_key="-"),
        handshake(sec_websocket_key=""),
        handshake(sec_websocket_key="short"),
        handshake(sec_websocket_key=KEY + KEY),
        handshake(sec_websocket_key=KEY[:-2]),
        handshake(sec_websocket_key="dGhlIHNhbXBsZSBub25jZ\xe9=="),
        handshake(sec_websocket_key="dGhlIHNhbXBsZSBu b25jZQ="),
        handshake(("sec-websocket-key", KEY)),
        handshake(("content-length", "1")),
        handshake(("transfer-encoding", "chunked")),
        handshake(body=b"x"),
    ],
)
def test_a_bad_handshake(request_: Request) -> None:
    assert asks(request_)
    with pytest.raises(BadRequest):
        key_of(request_)


def test_two_versions_are_none() -> None:
    with pytest.raises(WrongVersion):
        key_of(handshake(("sec-websocket-version", "13")))


@given(st.binary(min_size=16, max_size=16))
def test_any_key_is_answered(raw: bytes) -> None:
    key = base64.b64encode(raw).decode()
    told = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    assert key_of(handshake(sec_websocket_key=key)) == key
    assert proves([("sec-websocket-accept", base64.b64encode(told).decode())], key)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("sec-websocket-accept", "")],
        [("sec-websocket-accept", accept_of(KEY).lower())],
        [("sec-websocket-accept", accept_of("AAAAAAAAAAAAAAAAAAAAAA=="))],
        [("sec-websocket-accept", accept_of(KEY)), ("sec-websocket-accept", accept_of(KEY))],
    ],
)
def test_what_proves_nothing(headers: list[tuple[str, str]]) -> None:
    assert not proves(headers, KEY)


def test_an_answer_names_the_protocol_and_the_hop() -> None:
    assert switches([("Upgrade", "WebSocket"), ("Connection", "upgrade")])
    assert not switches([("upgrade", "websocket")])
    assert not switches([("upgrade", "h2c"), ("connection", "upgrade")])
