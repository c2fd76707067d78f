"""Signed messages, right and wrong, of each kind that has once fooled a library."""

from __future__ import annotations

import asyncio
import hmac
import string
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth import base64url, jws
from penstock.platforms.crypto import Signatures
from tests.unit.auth.signing import (
    ALGORITHMS,
    ASYMMETRIC,
    CURVES,
    jwk_of,
    message_of,
    private,
    signature,
    token_of,
)

BASE64URL = string.ascii_letters + string.digits + "-_"
MESSAGE = b"any bytes \x00\xff at all"


async def verify(token: str, key: dict[str, Any], *algorithms: str) -> bytes | None:
    return await jws.verify(token, key, algorithms, Signatures())


def with_signature(token: str, new: bytes) -> str:
    return f"{token[: token.rindex('.')]}.{base64url.encode(new)}"


def signature_of(token: str) -> bytes:
    found = base64url.decode(token[token.rindex(".") + 1 :])
    assert found is not None
    return found


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("payload", [MESSAGE, b"", b"\x00" * 20, bytes(range(256))])
async def test_takes_what_an_honest_issuer_signed(alg: str, payload: bytes) -> None:
    token = token_of(payload, alg)
    assert await verify(token, jwk_of(alg), alg) == payload
    assert await verify(token, jwk_of(alg, alg=alg, use="sig", key_ops=["verify"]), alg) == payload


@pytest.mark.parametrize("spacing", [b'{ "alg" : "HS256" }', b'{\n\t"alg":"HS256"\r\n}'])
async def test_takes_white_space_inside_the_header(spacing: bytes) -> None:
    token = token_of(b"x", "HS256", header=spacing)
    assert await verify(token, jwk_of("HS256"), "HS256") == b"x"


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_refuses_another_key_of_the_same_kind(alg: str) -> None:
    token = token_of(MESSAGE, alg)
    assert await verify(token, jwk_of(alg, 1, kid=f"{alg}-0"), alg) is None


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_refuses_a_key_of_another_id(alg: str) -> None:
    assert await verify(token_of(MESSAGE, alg), jwk_of(alg, kid="another"), alg) is None


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_refuses_changed_cut_and_stretched_signatures(alg: str) -> None:
    token = token_of(MESSAGE, alg)
    right = signature_of(token)
    flipped = [bytes([right[0] ^ 1]) + right[1:], right[:-1] + bytes([right[-1] ^ 0x80])]
    resized = [right[:-1], right[1:], right + b"\x00", b"\x00" + right, right + right, right[:1]]
    emptied = [b"", bytes(len(right)), b"\xff" * len(right)]
    for wrong in (*flipped, *resized, *emptied):
        assert await verify(with_signature(token, wrong), jwk_of(alg), alg) is None


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_refuses_a_changed_payload_or_header(alg: str) -> None:
    _, payload, mac = token_of(MESSAGE, alg).split(".")
    head = token_of(MESSAGE, alg).split(".")[0]
    other = base64url.encode(b"other bytes")
    relabelled = message_of({"alg": alg, "kid": f"{alg}-0"}, b"").split(".")[0]
    for wrong in (f"{head}.{other}.{mac}", f"{head}..{mac}", f"{relabelled}.{payload}.{mac}"):
        assert await verify(wrong, jwk_of(alg), alg) is None


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_refuses_every_other_algorithm(alg: str) -> None:
    """A signature right by another algorithm of the same key, under its own name or a false one."""
    for other in ALGORITHMS:
        if other != alg:
            honest = token_of(MESSAGE, other, kid="one")
            assert await verify(honest, jwk_of(other, kid="one"), alg) is None
            assert await verify(honest, jwk_of(alg, kid="one", alg=alg), *ALGORITHMS) is None
            disguised = token_of(MESSAGE, other, header={"alg": alg})
            assert await verify(disguised, jwk_of(alg), *ALGORITHMS) is None


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS1"])
async def test_refuses_no_algorithm_and_its_like(name: str) -> None:
    header = {"alg": name, "kid": "HS256-0"}
    for token in (token_of(MESSAGE, header=header), message_of(header, MESSAGE) + "."):
        assert await verify(token, jwk_of("HS256"), "HS256", "none", "RS256") is None


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_refuses_a_mac_made_with_the_public_key(alg: str) -> None:
    public = private(alg).public_key()
    message = message_of({"alg": "HS256", "kid": f"{alg}-0"}, MESSAGE)
    for secret in _spellings(public, jwk_of(alg)):
        mac = hmac.digest(secret, message.encode(), "sha256")
        token = f"{message}.{base64url.encode(mac)}"
        assert await verify(token, jwk_of(alg), alg) is None
        assert await verify(token, jwk_of(alg), alg, "HS256") is None


def _spellings(public: Any, key: dict[str, Any]) -> list[bytes]:
    spelled = [
        public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        for encoding in (Encoding.PEM, Encoding.DER)
    ]
    raw = b"".join(base64url.decode(key[name]) or b"" for name in ("n", "x", "y") if name in key)
    return [*spelled, spelled[0].strip(), raw]


@pytest.mark.parametrize("alg", list(CURVES))
async def test_refuses_ecdsa_signatures_in_other_forms(alg: str) -> None:
    token = token_of(MESSAGE, alg)
    right, size = signature_of(token), CURVES[alg][2]
    r, s = right[:size], right[size:]
    der = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    zero, one = bytes(size), (1).to_bytes(size, "big")
    order = _order(alg)
    n, below = order.to_bytes(size, "big"), (order - 1).to_bytes(size, "big")
    edges = [left + right for left in (zero, one, below, n) for right in (zero, one, below, n)]
    longer = [b"\x00" + r + b"\x00" + s, r + b"\x00" + s, bytes(99) + r + bytes(99) + s]
    for wrong in (der, *edges, *longer, s + r, _plus(r, order) + b"\x00" + s):
        assert await verify(with_signature(token, wrong), jwk_of(alg), alg) is None


def _plus(part: bytes, order: int) -> bytes:
    return (int.from_bytes(part, "big") + order).to_bytes(len(part) + 1, "big")


def _order(alg: str) -> int:
    return {
        "ES256": 2**256 - 2**224 + 2**192 - 0x4319055258E8617B0C46353D039CDAAF,
        "ES384": 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
        "ES512": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    }[alg]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jwk", jwk_of("ES256")),
        ("jwk", None),
        ("jku", "https://evil.example/keys"),
        ("x5u", "https://evil.example/chain"),
        ("x5c", ["MII"]),
        ("crit", ["exp"]),
        ("crit", []),
        ("b64", False),
        ("b64", True),
        ("zip", "DEF"),
        ("typ", "JOSE"),
        ("typ", "application/jwt"),
        ("typ", 7),
        ("typ", ""),
        ("typ", None),
        ("kid", 7),
        ("kid", None),
        ("kid", "x" * 257),
        ("alg", None),
        ("alg", ["HS256"]),
        ("alg", 256),
    ],
)
async def test_refuses_headers_that_bring_keys_or_change_the_rules(name: str, value: Any) -> None:
    header = {"alg": "HS256", "kid": "HS256-0", name: value}
    assert await verify(token_of(MESSAGE, header=header), jwk_of("HS256"), "HS256") is None


async def test_refuses_an_embedded_key_that_made_the_signature() -> None:
    embedded = jwk_of("ES256", 1, kid="ES256-0")
    token = token_of(
        MESSAGE, "ES256", 1, header={"alg": "ES256", "kid": "ES256-0", "jwk": embedded}
    )
    assert await verify(token, jwk_of("ES256"), "ES256") is None
    assert await verify(token, jwk_of("ES256", 1, kid="ES256-0"), "ES256") is None


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT"])
async def test_takes_the_types_of_tokens(kind: str) -> None:
    token = token_of(MESSAGE, typ=kind)
    assert await verify(token, jwk_of("HS256"), "HS256") == MESSAGE


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"HS256","alg":"HS256"}',
        b'{"alg":"none","alg":"HS256"}',
        b'{"alg":"HS256","a":{"b":1,"b":2}}',
        b'{"alg":"HS256","\\u0061lg":"HS256"}',
        b'["HS256"]',
        b'"HS256"',
        b"null",
        b"",
        b"{",
        b'{"alg":"HS256"}}',
        b'{"alg":"HS256"}\x00',
        b'\xef\xbb\xbf{"alg":"HS256"}',
        b'{"alg":"HS256","kid":"\xff"}',
        b'{"alg":"HS256","x":NaN}',
        b'{"alg":"HS256","x":' + b"[" * 4000 + b"]" * 4000 + b"}",
        b'{"alg":"HS256",}',
        b"{'alg':'HS256'}",
    ],
)
async def test_refuses_headers_that_are_not_one_strict_object(header: bytes) -> None:
    token = token_of(b"", header=header)
    assert await verify(token, jwk_of("HS256"), "HS256") is None


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("where", ["before", "after", "inside"])
@pytest.mark.parametrize("foreign", [*"=?# \t\n\r\x00+/%.~,", "==", "%3d", "\u00e9", "\ud800"])
async def test_refuses_foreign_characters(index: int, where: str, foreign: str) -> None:
    parts = token_of(MESSAGE, "HS256").split(".")
    part = parts[index]
    middle = len(part) // 2
    parts[index] = {
        "before": foreign + part,
        "after": part + foreign,
        "inside": part[:middle] + foreign + part[middle:],
    }[where]
    assert await verify(".".join(parts), jwk_of("HS256"), "HS256") is None


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_refuses_set_trailing_bits_even_where_they_are_signed(index: int) -> None:
    """The same bytes in a second spelling, under the old signature and under one over it."""
    parts = message_of({"alg": "HS256", "pad": ""}, b"1234").split(".")
    mac = signature("HS256", ".".join(parts).encode())
    parts.append(base64url.encode(mac))
    if len(parts[index]) % 4 == 0:
        parts[index] = base64url.encode(b'{"alg":"HS256","pad":"x"}')
    last = BASE64URL.index(parts[index][-1])
    respelled = parts[index][:-1] + BASE64URL[last ^ 1]
    parts[index] = respelled
    again = signature("HS256", ".".join(parts[:2]).encode())
    assert await verify(".".join(parts), jwk_of("HS256"), "HS256") is None
    if index < 2:
        resigned = ".".join([*parts[:2], base64url.encode(again)])
        assert await verify(resigned, jwk_of("HS256"), "HS256") is None


@pytest.mark.parametrize(
    "shape", ["{h}.{p}", "{h}.{p}.", "{p}.{s}", ".{p}.{s}", ".{p}.", "{p}", "", ".", "..", "...",
              "{h}.{p}.{s}.", "{h}.{p}.{s}.{s}", ".{h}.{p}.{s}", "{h}.{p}.{s}.{p}.{s}", "{h}..{s}",
              '{{"payload":"{p}","protected":"{h}","signature":"{s}"}}']
)  # fmt: skip
async def test_refuses_other_than_three_parts(shape: str) -> None:
    h, p, s = token_of(MESSAGE, "HS256").split(".")
    assert await verify(shape.format(h=h, p=p, s=s), jwk_of("HS256"), "HS256") is None


async def test_refuses_tokens_above_the_cap() -> None:
    padding = "x" * jws.LONGEST
    token = token_of(padding.encode(), "HS256")
    assert await verify(token, jwk_of("HS256"), "HS256") is None
    fitting = token_of(b"x" * 6000, "HS256")
    assert len(fitting) < jws.LONGEST
    assert await verify(fitting, jwk_of("HS256"), "HS256") is not None


class Gullible(Signatures):
    """Takes every signature."""

    async def verify(self, alg: str, jwk: dict[str, Any], message: bytes, signature: bytes) -> bool:
        return True


@pytest.mark.parametrize("alg", ASYMMETRIC)
async def test_sizes_and_zeros_are_refused_whatever_the_platform_says(alg: str) -> None:
    token = token_of(MESSAGE, alg)
    right = signature_of(token)
    assert await jws.verify(token, jwk_of(alg), [alg], Gullible()) == MESSAGE
    wrongs = [right[:-1], right + b"\x00", b"\x00" + right, b"\x01"]
    if alg in CURVES:
        half = len(right) // 2
        wrongs += [bytes(half) + right[half:], right[:half] + bytes(half)]
    for wrong in wrongs:
        forged = with_signature(token, wrong)
        assert await jws.verify(forged, jwk_of(alg), [alg], Gullible()) is None


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    alg = data.draw(st.sampled_from(["HS256", "RS256", "ES256", "EdDSA"]))
    token = token_of(MESSAGE, alg)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != token[place]))
    changed = token[:place] + other + token[place + 1 :]
    assert asyncio.run(verify(changed, jwk_of(alg), alg)) is None


@given(st.binary(max_size=200), st.sampled_from(ASYMMETRIC))
def test_no_signature_crashes_the_check(wrong: bytes, alg: str) -> None:
    token = with_signature(token_of(MESSAGE, alg), wrong or b"x")
    assert asyncio.run(verify(token, jwk_of(alg), alg)) is None


@given(st.binary(max_size=300))
def test_base64url_has_one_spelling(data: bytes) -> None:
    spelled = base64url.encode(data)
    assert base64url.decode(spelled) == data
    for other in ("=", "\n", " ", "A"):
        decoded = base64url.decode(spelled + other)
        assert decoded is None or decoded != data


@given(st.text(max_size=40))
def test_base64url_never_reads_a_second_spelling(text: str) -> None:
    data = base64url.decode(text)
    assert data is None or base64url.encode(data) == text
