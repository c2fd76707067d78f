"""Published keys: found, rotated, missed, and never asked for more than once in ten seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from penstock.auth.jwk import Key
from penstock.auth.jwks import FRESH_SECONDS, KEPT_SECONDS, LARGEST_BYTES, PAUSE_SECONDS, KeySet
from penstock.errors import Misconfigured, NotSent, Stalled, Unavailable
from penstock.platforms import memory
from penstock.wire.http import Request, Response
from tests.unit.auth.signing import JWKS_URL, jwk_of


class Issuer:
    """Publishes `keys`, or answers what a test says; its replies can be held back."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.status = 200
        self.body: bytes | Pieces | None = None
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.platform = memory.platform(self.answer)
        self.set = self.keys_of()

    def keys_of(self, **changes: Any) -> KeySet:
        return KeySet(JWKS_URL, ("RS256", "ES256", "EdDSA"), replace(self.platform, **changes))

    async def answer(self, request: Request) -> Response:
        assert (request.method, request.target) == ("GET", JWKS_URL.encode())
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        published = json.dumps({"keys": self.keys}).encode()
        return Response(self.status, body=published if self.body is None else self.body)

    @property
    def fetches(self) -> int:
        return len(self.platform.fetch.requests)

    def advance(self, seconds: float) -> None:
        self.platform.clock.advance(seconds)

    async def find(self, kid: str | None, alg: str = "ES256") -> Key | None:
        return await self.set.find(kid, alg)


class Pieces:
    """A body in pieces that says whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


async def test_finds_a_key_by_its_id_and_asks_once() -> None:
    issuer = Issuer(jwk_of("ES256"), jwk_of("ES256", 1), jwk_of("RS256"))
    for _ in range(3):
        for kid, alg in (("ES256-0", "ES256"), ("ES256-1", "ES256"), ("RS256-0", "RS256")):
            found = await issuer.find(kid, alg)
            assert found is not None
            assert (found.kid, found.alg) == (kid, alg)
    assert issuer.fetches == 1


async def test_without_an_id_only_the_one_key_that_fits() -> None:
    issuer = Issuer(jwk_of("ES256"), jwk_of("RS256"), jwk_of("RS256", 1))
    assert (await issuer.find(None, "ES256")) is not None
    assert await issuer.find(None, "RS256") is None
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find(None, "EdDSA") is None
    assert issuer.fetches == 1


async def test_an_id_twice_is_no_id() -> None:
    issuer = Issuer(jwk_of("ES256", kid="a"), jwk_of("ES256", 1, kid="a"), jwk_of("EdDSA", kid="a"))
    assert await issuer.find("a", "ES256") is None
    assert await issuer.find("a", "EdDSA") is not None


async def test_a_storm_of_unknown_ids_fetches_once_in_ten_seconds() -> None:
    issuer = Issuer(jwk_of("ES256"))
    assert await issuer.find("ES256-0") is not None
    for second in range(1, 31):
        issuer.advance(1)
        storm = [issuer.find(f"made-up-{second}-{n}") for n in range(1000)]
        assert set(await asyncio.gather(*storm)) == {None}
        assert issuer.fetches <= 1 + second // PAUSE_SECONDS
    assert issuer.fetches == 4
    assert await issuer.find("ES256-0") is not None


async def test_a_cold_storm_waits_for_one_fetch() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.gate.clear()
    storm = [asyncio.create_task(issuer.find("ES256-0")) for _ in range(500)]
    await issuer.platform.clock.run(1)
    assert not any(task.done() for task in storm)
    issuer.gate.set()
    assert None not in await asyncio.gather(*storm)
    assert issuer.fetches == 1


async def test_who_asked_first_may_leave() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.gate.clear()
    first, second = (asyncio.create_task(issuer.find("ES256-0")) for _ in range(2))
    await issuer.platform.clock.run(1)
    first.cancel()
    await issuer.platform.clock.run(1)
    issuer.gate.set()
    assert await second is not None
    assert (issuer.fetches, first.cancelled()) == (1, True)


async def test_rotation_is_seen_when_a_new_key_is_used() -> None:
    issuer = Issuer(jwk_of("ES256"))
    assert await issuer.find("ES256-0") is not None
    issuer.keys = [jwk_of("ES256", 1)]
    assert await issuer.find("ES256-1") is None
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find("ES256-1") is not None
    assert await issuer.find("ES256-0") is None


async def test_a_withdrawn_key_is_gone_after_an_hour_without_anybody_waiting() -> None:
    issuer = Issuer(jwk_of("ES256"), jwk_of("ES256", 1))
    assert await issuer.find("ES256-0") is not None
    issuer.keys = [jwk_of("ES256", 1)]
    issuer.advance(FRESH_SECONDS + 1)
    issuer.gate.clear()
    assert await issuer.find("ES256-0") is not None
    issuer.gate.set()
    await issuer.platform.spawn.join()
    assert await issuer.find("ES256-0") is None
    assert issuer.fetches == 2


@pytest.mark.parametrize("failure", [NotSent(), Stalled(), TimeoutError()])
async def test_known_keys_outlive_their_issuer_for_a_day(failure: Exception) -> None:
    issuer = Issuer(jwk_of("ES256"))
    assert await issuer.find("ES256-0") is not None
    issuer.failure = failure
    issuer.advance(KEPT_SECONDS - 60)
    assert await issuer.find("ES256-0") is not None
    assert await issuer.find("other") is None
    await issuer.platform.spawn.join()
    issuer.advance(61)
    with pytest.raises(Unavailable) as caught:
        await issuer.find("ES256-0")
    assert caught.value.code == "issuer_unreachable"
    assert ("retry-after", "10") in caught.value.headers
    issuer.failure = None
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find("ES256-0") is not None


async def test_an_issuer_that_never_answered_is_asked_every_ten_seconds() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.failure = NotSent()
    for _ in range(5):
        with pytest.raises(Unavailable):
            await issuer.find("ES256-0")
    assert issuer.fetches == 1
    issuer.advance(PAUSE_SECONDS)
    issuer.failure = None
    assert await issuer.find("ES256-0") is not None


async def test_an_issuer_that_never_ends_is_given_up() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.gate.clear()
    waiting = asyncio.create_task(issuer.find("ES256-0"))
    await issuer.platform.clock.run(9)
    with pytest.raises(Unavailable):
        await waiting
    issuer.gate.set()


BAD_SETS: list[bytes] = [
    b"", b"<html>", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[7,null,{}]}',
    b'{"keys":[{"kty":"oct","k":"AAAA","kid":"ES256-0"}]}', b'{"keys":[],"keys":[]}',
    b" " * LARGEST_BYTES + json.dumps({"keys": [jwk_of("ES256", 1)]}).encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_SETS)
async def test_a_bad_set_keeps_the_old_one(body: bytes) -> None:
    issuer = Issuer(jwk_of("ES256"))
    assert await issuer.find("ES256-0") is not None
    issuer.body = body
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find("ES256-1") is None
    assert await issuer.find("ES256-0") is not None
    assert issuer.fetches == 2


@pytest.mark.parametrize("status", [204, 301, 302, 404, 500])
async def test_other_replies_and_redirects_keep_the_old_one(status: int) -> None:
    issuer = Issuer(jwk_of("ES256"))
    assert await issuer.find("ES256-0") is not None
    issuer.status, issuer.keys = status, [jwk_of("ES256", 1)]
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find("ES256-1") is None
    assert await issuer.find("ES256-0") is not None


async def test_reads_and_closes_a_body_in_pieces() -> None:
    issuer = Issuer()
    whole = json.dumps({"keys": [jwk_of("ES256")]}).encode()
    good, huge = Pieces(whole[:9], whole[9:]), Pieces(*[b" " * 1000] * 300)
    issuer.body = good
    assert await issuer.find("ES256-0") is not None
    issuer.body = huge
    issuer.advance(PAUSE_SECONDS)
    assert await issuer.find("other") is None
    assert (good.closed, huge.closed) == (True, True)


async def test_reads_keys_beside_ones_it_cannot_use() -> None:
    odd: list[Any] = [{"kty": "AKP"}, jwk_of("RS256", use="enc"), jwk_of("ES256", d="x"), "?"]
    issuer = Issuer(*odd, jwk_of("EdDSA"))
    assert await issuer.find("EdDSA-0", "EdDSA") is not None
    assert await issuer.find("RS256-0", "RS256") is None
    assert await issuer.find("ES256-0", "ES256") is None


async def test_where_requests_cannot_wake_each_other_they_look_again() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.set = issuer.keys_of(shared_loop=False)
    issuer.gate.clear()
    storm = [asyncio.create_task(issuer.find("ES256-0")) for _ in range(20)]
    await issuer.platform.clock.run(1)
    issuer.gate.set()
    await issuer.platform.clock.run(0.2)
    assert all(task.done() and task.result() is not None for task in storm)
    assert issuer.fetches == 1


async def test_where_requests_cannot_wake_each_other_a_lost_fetch_is_given_up() -> None:
    issuer = Issuer(jwk_of("ES256"))
    issuer.set = issuer.keys_of(shared_loop=False, spawn=lambda lost: lost.close())
    waiting = asyncio.create_task(issuer.find("ES256-0"))
    await issuer.platform.clock.run(PAUSE_SECONDS + 1)
    with pytest.raises(Unavailable):
        await waiting


@pytest.mark.parametrize(
    "url", ["", "keys", "http://issuer.example/keys", "ftp://issuer.example", "https://",
            "//x/keys", "file:///etc",
            "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "https://[::1"]
)  # fmt: skip
def test_keys_come_by_https(url: str) -> None:
    with pytest.raises(Misconfigured, match="jwks_url"):
        KeySet(url, ("RS256",), memory.platform())


@pytest.mark.parametrize(
    "url", [JWKS_URL, "http://127.0.0.1:8000/keys", "http://localhost/keys", "http://[::1]:9/keys"]
)
def test_on_this_machine_plain_http_will_do(url: str) -> None:
    assert KeySet(url, ("RS256",), memory.platform())
