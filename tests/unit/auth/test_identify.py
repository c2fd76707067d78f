"""From requests to callers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth import identify, keys
from penstock.auth.identify import KEY_SECONDS, Identity
from penstock.config import Auth, Config, Issuer, Server, Tier
from penstock.errors import BadRequest, HeaderTooLarge, Misconfigured, Unauthorized, Unavailable
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.wire.http import Response
from penstock.wire.json import encode
from tests.unit.auth.signing import (
    NOW,
    bearer,
    claims,
    jwk_of,
    published_config,
    request_with,
    shared_config,
    shared_token,
    token_of,
)


class Door:
    """An identity and its world."""

    def __init__(self, config: Config | None = None) -> None:
        self.world: MemoryPlatform = memory.platform()
        self.identity = Identity(config or shared_config(), self.world)
        self.identify = self.identity.identify

    async def key(self, **more: Any) -> tuple[str, keys.ApiKey]:
        plain = {"now": self.world.clock.now(), "sub": "u", **more}
        return await keys.create(self.world.tables, self.world.ids, **plain)

    async def refuses(self, request: Any, code: str, kind: type[Exception] = Unauthorized) -> None:
        with pytest.raises(kind) as caught:
            await self.identify(request)
        assert getattr(caught.value, "code", "") == code


@pytest.fixture
def door() -> Door:
    return Door()


async def test_a_token_names_its_caller(door: Door) -> None:
    tiers = {"free": Tier(), "pro": Tier()}
    door = Door(Config(auth=shared_config().auth, tiers=tiers))
    said = claims(
        email="e@x.example", role="user", tier="pro", tenant="t", scope="chat route:force"
    )
    token = shared_token(said)
    caller = await door.identify(bearer(token))
    assert (caller.sub, caller.tenant, caller.tier, caller.email) == (
        "user-1",
        "t",
        "pro",
        "e@x.example",
    )
    assert (caller.role, set(caller.scopes)) == ("user", {"chat", "route:force"})
    assert (caller.credential, caller.exp) == (keys.hash_of(token), NOW + 3600)
    assert (caller.address, caller.anonymous, caller.key_id, caller.refusal) == (
        "192.0.2.7",
        False,
        "",
        None,
    )


async def test_an_old_token_is_a_free_caller(door: Door) -> None:
    old = {"sub": "u", "email": "u@example.com", "role": "user", "iat": NOW, "exp": NOW + 60}
    caller = await door.identify(bearer(shared_token(old)))
    assert (caller.tenant, caller.tier, set(caller.scopes)) == (
        "default",
        "free",
        {"chat", "embed", "rag"},
    )


@pytest.mark.parametrize(
    ("more", "scopes"),
    [
        ({}, {"chat", "embed", "rag"}),
        ({"scope": None}, {"chat", "embed", "rag"}),
        ({"scope": ""}, set()),
        ({"scope": "  chat   rag "}, {"chat", "rag"}),
        ({"scope": ["chat", "usage"]}, {"chat", "usage"}),
        ({"scopes": ["chat"]}, {"chat"}),
        ({"scope": "chat", "scopes": ["rag"]}, {"chat", "rag"}),
        ({"role": "admin"}, {"chat", "embed", "rag", "admin"}),
        ({"role": "admin", "scope": "chat"}, {"chat", "admin"}),
        ({"role": ["admin"]}, {"chat", "embed", "rag"}),
        ({"role": "Admin"}, {"chat", "embed", "rag"}),
        ({"role": True}, {"chat", "embed", "rag"}),
    ],
)
async def test_scopes_and_roles(door: Door, more: dict[str, Any], scopes: set[str]) -> None:
    assert (await door.identify(bearer(shared_token(claims(**more))))).scopes == scopes


@pytest.mark.parametrize(
    ("more", "tenant"),
    [({}, "default"), ({"tenant": ""}, "default"), ({"workspaceId": "w"}, "w"),
     ({"tenant": "t", "workspaceId": "w"}, "t"), ({"tenant": "default"}, "default")],
)  # fmt: skip
async def test_tenants(door: Door, more: dict[str, Any], tenant: str) -> None:
    assert (await door.identify(bearer(shared_token(claims(**more))))).tenant == tenant


@pytest.mark.parametrize(
    "more",
    [{"tenant": 7}, {"tenant": ["t"]}, {"tenant": "a\x00b"}, {"workspaceId": {"a": 1}},
     {"scope": 7},
     {"scope": [7]}, {"scope": {"chat": True}}, {"scopes": True}, {"tenant": "x" * 257}],
)  # fmt: skip
async def test_what_cannot_be_read_is_not_guessed(door: Door, more: dict[str, Any]) -> None:
    await door.refuses(bearer(shared_token(claims(**more))), "invalid_token")


async def test_an_unknown_tier_is_the_free_one(door: Door) -> None:
    for tier in ("platinum", 7, None, "free\x00"):
        assert (await door.identify(bearer(shared_token(claims(tier=tier))))).tier == "free"


@pytest.mark.parametrize(
    "headers",
    [[], [("authorization", "")], [("authorization", "Bearer")], [("authorization", "Bearer  ")],
     [("x-api-key", "")], [("authorization", "Basic dTpw")], [("authorization", "Token abc")],
     [("authorization", "Bearer\tabc")], [("cookie", "token=abc")],
     [("proxy-authorization", "Bearer x")]],
)  # fmt: skip
async def test_no_usable_credential(door: Door, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthorized) as caught:
        await door.identify(request_with(*headers))
    assert (caught.value.code, caught.value.text) == ("missing_credential", "Unauthorized")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_schemes_have_no_case(door: Door, scheme: str) -> None:
    request = request_with(("authorization", f"{scheme}  {shared_token(claims())} "))
    assert (await door.identify(request)).sub == "user-1"


@pytest.mark.parametrize(
    "credential",
    ["' or 1=1 --", "'; drop table api_keys; --", "pk-", "pk-' or '1'='1", "a.b.c", "a.b",
     "\x00", "a\x00b",
     "null", "undefined", "\u00e9", "{}", "../../etc/passwd", "Bearer Bearer", "%s%s%n",
     "pk-" + "a" * 43],
)  # fmt: skip
@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
async def test_nonsense_is_refused(door: Door, name: str, credential: str) -> None:
    value = f"Bearer {credential}" if name == "authorization" else credential
    code = "invalid_api_key" if credential.startswith("pk-") else "invalid_token"
    await door.refuses(request_with((name, value)), code)


async def test_long_credentials_are_too_long(door: Door) -> None:
    for size in (8193, 1 << 20):
        for headers in (("authorization", "Bearer " + "a" * size), ("x-api-key", "a" * size)):
            await door.refuses(request_with(headers), "header_too_large", HeaderTooLarge)
    await door.refuses(
        request_with(("authorization", "a" * 9000)), "header_too_large", HeaderTooLarge
    )
    await door.refuses(bearer("a" * 8192), "invalid_token")


async def test_two_credentials_must_be_one(door: Door) -> None:
    token, (key, _) = shared_token(claims()), await door.key()
    both = ("authorization", f"Bearer {token}"), ("x-api-key", token)
    assert (await door.identify(request_with(*both))).sub == "user-1"
    for other in (key, token + "x", "nonsense"):
        request = request_with(("authorization", f"Bearer {token}"), ("x-api-key", other))
        await door.refuses(request, "conflicting_credentials", BadRequest)
    empty = request_with(("authorization", f"Bearer {token}"), ("x-api-key", ""))
    assert (await door.identify(empty)).sub == "user-1"


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
async def test_a_header_twice_is_refused(door: Door, name: str) -> None:
    twice = [(name, f"Bearer {shared_token(claims())}")] * 2
    await door.refuses(request_with(*twice), "duplicate_header", BadRequest)


@pytest.mark.parametrize(
    "query", ["api_key=x", "a=1&access_token=x", "API_KEY", "%61pi_key=x", "apikey=", "x-api-key=1",
              "authorization=Bearer+x", "jwt=x&b", "api-key=1"]
)  # fmt: skip
async def test_credentials_in_the_query_are_refused(door: Door, query: str) -> None:
    token = shared_token(claims())
    await door.refuses(bearer(token, query=query), "credential_in_query", BadRequest)
    await door.refuses(request_with(query=query), "credential_in_query", BadRequest)


async def test_credentials_in_the_query_are_never_used(door: Door) -> None:
    token, (key, _) = shared_token(claims()), await door.key()
    for secret in (token, key):
        for name in ("token", "key", "auth", "bearer_token", "k"):
            await door.refuses(request_with(query=f"{name}={secret}"), "missing_credential")
    assert (await door.identify(bearer(token, query="key=chat&from=1&&="))).sub == "user-1"


async def test_tokens_that_share_a_beginning_are_strangers(door: Door) -> None:
    """The first design kept verified tokens under 16 characters, which every HS256 token shares."""
    good = shared_token(claims(sub="victim"))
    assert (await door.identify(bearer(good))).sub == "victim"
    forged = shared_token(claims(sub="victim"), secret="the secret of somebody else, 32 bytes")
    other = shared_token(claims(sub="attacker"))
    assert forged[:16] == good[:16] == other[:16]
    await door.refuses(bearer(forged), "invalid_token")
    await door.refuses(bearer(good[:-1]), "invalid_token")
    await door.refuses(bearer(good[: good.rindex(".") + 1] + "A" * 43), "invalid_token")
    assert (await door.identify(bearer(other))).sub == "attacker"


async def test_a_remembered_token_ends_with_its_exp(door: Door) -> None:
    token = shared_token(claims(exp=NOW + 30))
    first = await door.identify(bearer(token))
    door.world.clock.advance(29.5)
    assert await door.identify(bearer(token)) is first
    door.world.clock.advance(0.5)
    await door.refuses(bearer(token), "token_expired")


async def test_a_caller_s_address_is_this_request_s(door: Door) -> None:
    token = shared_token(claims())
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        caller = await door.identify(bearer(token, client=address))
        assert (caller.address, caller.owner) == (address, "default/user-1")
    proxied = Door(Config(auth=shared_config().auth, server=Server(trusted_proxies=("192.0.2.1",))))
    request = request_with(
        ("authorization", f"Bearer {token}"), ("x-forwarded-for", "1.2.3.4"), client="192.0.2.1"
    )
    assert (await proxied.identify(request)).address == "1.2.3.4"
    assert proxied.identity.address(request) == "1.2.3.4"
    assert door.identity.address(request) == "192.0.2.1"


async def test_memory_is_bounded_and_drops_the_longest_unused(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identify, "MOST_REMEMBERED", 3)
    tokens = [shared_token(claims(sub=f"u{n}")) for n in range(4)]
    callers = [await door.identify(bearer(token)) for token in tokens[:3]]
    assert await door.identify(bearer(tokens[0])) is callers[0]
    await door.identify(bearer(tokens[3]))
    assert await door.identify(bearer(tokens[0])) is callers[0]
    assert await door.identify(bearer(tokens[1])) is not callers[1]


async def test_a_forgotten_credential_is_checked_again(door: Door) -> None:
    token = shared_token(claims())
    first = await door.identify(bearer(token))
    door.identity.forget(keys.hash_of("other"))
    assert await door.identify(bearer(token)) is first
    door.identity.forget(first.credential)
    assert await door.identify(bearer(token)) is not first


async def test_a_second_signature_of_one_token_takes_the_first_one_s_place() -> None:
    door = Door(published_config())
    door.world.fetch.handler = lambda _: Response(200, body=encode({"keys": [jwk_of("ES256")]}))
    said = claims()
    one, two = token_of(said, "ES256"), token_of(said, "ES256")
    assert one != two
    first, second = await door.identify(bearer(one)), await door.identify(bearer(two))
    assert first.credential == second.credential
    assert await door.identify(bearer(two)) is second
    door.identity.forget(first.credential)
    assert await door.identify(bearer(two)) is not second
    assert await door.identify(bearer(one)) is not first


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
async def test_an_api_key_names_its_caller(door: Door, name: str) -> None:
    key, made = await door.key(tenant="t", scopes=["chat"], expires_at=NOW + 99)
    caller = await door.identify(request_with((name, f"Bearer {key}" if name[0] == "a" else key)))
    assert caller.scopes == {"chat"}
    assert (caller.sub, caller.tenant, caller.key_id) == ("u", "t", made.id)
    assert (caller.credential, caller.exp, caller.tier) == (made.hash, NOW + 99, "free")


async def test_an_ended_key_is_refused(door: Door) -> None:
    key, made = await door.key(expires_at=NOW + 30)
    other, _ = await door.key()
    await door.identify(bearer(key))
    await keys.revoke(door.world.tables, door.world.meter, made.id, now=NOW)
    door.identity.forget(made.hash)
    await door.refuses(bearer(key), "invalid_api_key")
    short, _ = await door.key(expires_at=NOW + 30)
    await door.identify(bearer(short))
    door.world.clock.advance(30)
    await door.refuses(bearer(short), "invalid_api_key")
    assert (await door.identify(bearer(other))).sub == "u"


async def test_a_key_s_row_is_believed_for_a_minute(door: Door) -> None:
    key, made = await door.key()
    first = await door.identify(bearer(key))
    await keys.revoke(door.world.tables, door.world.meter, made.id, now=NOW)
    door.world.clock.advance(KEY_SECONDS - 1)
    assert await door.identify(bearer(key)) is first
    door.world.clock.advance(1)
    await door.refuses(bearer(key), "invalid_api_key")


async def test_somebody_else_s_key_is_not_found_by_a_part(door: Door) -> None:
    key, made = await door.key()
    for wrong in (
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        "pk-" + made.hash[:43],
        key[:30],
        made.id,
    ):
        with pytest.raises(Unauthorized):
            await door.identify(bearer(wrong))


async def test_optional_routes_take_strangers_and_say_why(door: Door) -> None:
    forged = shared_token(claims(), secret="the secret of somebody else, 32 bytes")
    tokens = [
        (request_with(), "missing_credential"),
        (bearer(forged), "invalid_token"),
        (bearer(shared_token(claims(exp=NOW - 1))), "token_expired"),
        (bearer("pk-" + "a" * 43), "invalid_api_key"),
        (bearer("a" * 9000), "header_too_large"),
        (request_with(("authorization", "Basic dTpw")), "missing_credential"),
    ]
    for request, code in tokens:
        caller = await door.identify(request, optional=True)
        assert (caller.sub, caller.anonymous, caller.credential) == ("ip:192.0.2.7", True, "")
        assert caller.refusal is not None
        assert caller.refusal.code == code
    assert not (await door.identify(bearer(shared_token(claims())), optional=True)).anonymous


async def test_optional_routes_still_refuse_what_is_not_a_request(door: Door) -> None:
    for request in (bearer("x", query="api_key=x"), request_with(*[("authorization", "x")] * 2)):
        with pytest.raises(BadRequest):
            await door.identify(request, optional=True)


async def test_keys_out_of_reach_are_not_the_caller_s_fault() -> None:
    door = Door(published_config())
    request = bearer(token_of(claims(), "ES256"))
    with pytest.raises(Unavailable):
        await door.identify(request)
    assert (await door.identify(request, optional=True)).anonymous
    await door.refuses(bearer(shared_token(claims())), "invalid_token")
    assert len(door.world.fetch.requests) == 1


NAMES = st.sampled_from(["authorization", "x-api-key", "host"])


@given(st.lists(st.tuples(NAMES, st.text()), max_size=4), st.text(max_size=30), st.booleans())
def test_no_header_crashes_the_door(headers: Any, query: str, prefix: bool) -> None:
    door = Door()
    sent = [(name, f"Bearer {value}" if prefix else value) for name, value in headers]
    with pytest.raises((Unauthorized, BadRequest, HeaderTooLarge)):
        asyncio.run(door.identify(request_with(*sent, query=query)))
    for_all = request_with(*sent)
    try:
        assert asyncio.run(door.identify(for_all, optional=True)).anonymous
    except BadRequest:
        assert len(headers) > 1


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        (Config(auth=Auth(issuers=(Issuer(secret="short"),))), "secret"),
        (Config(auth=Auth(issuers=(Issuer(),))), "secret"),
        (published_config(algorithms=("HS256",)), "algorithms"),
        (Config(auth=Auth(issuers=(Issuer(mode="jwks", issuer="i", audience="a"),))), "jwks_url"),
        (Config(server=Server(trusted_proxies=("everyone",))), "trusted_proxies"),
    ],
)
def test_unsafe_rules_do_not_start(config: Config, setting: str) -> None:
    with pytest.raises(Misconfigured, match=setting):
        Identity(config, memory.platform())
