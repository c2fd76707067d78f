"""Accounts through the whole auth service: what a user can do, and what an outsider cannot learn."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.services.home import PASSWORD, ask, secret

LOCKED_SECONDS = 15 * 60


async def test_a_user_registers_verifies_and_logs_in(auth):
    registered = await auth.register()
    assert registered.status == 201
    assert registered.json["user"] == {
        "id": registered.json["user"]["id"], "email": "ada@example.com", "username": "ada",
    }  # fmt: skip
    [letter] = await auth.letters()
    assert "To: ada@example.com" in letter
    verified = await auth.ask("POST /api/auth/verify-email", {"token": secret(letter)})
    assert verified.json == {"verified": True}
    entered = (await auth.login("  ADA@example.com ")).json
    assert entered["user"] == registered.json["user"] | {
        "tenant": "default", "role": "user", "tier": "free",
    }  # fmt: skip
    me = await auth.ask("GET /api/auth/me", token=entered["token"])
    assert me.json["user"] == entered["user"]


async def test_the_first_designs_names_lead_to_the_same(auth):
    await auth.verified()
    body = {"email": "ada@example.com", "password": PASSWORD}
    entered = await auth.ask("POST /api/auth/signin", body)
    assert entered.status == 200
    left = await auth.ask("POST /api/auth/signout", token=entered.json["token"])
    assert left.status == 200
    new = {"email": "b@example.com", "password": PASSWORD, "username": "b"}
    assert (await auth.ask("POST /api/auth/signup", new)).status == 201


async def test_registering_says_the_same_of_every_address(auth):
    await auth.verified("taken@example.com")
    await auth.register("waiting@example.com")
    replies = [await auth.register(f"{name}@example.com") for name in ("taken", "waiting", "new")]
    shapes = [
        (reply.status, sorted(reply.headers), reply.json["message"], len(reply.json["user"]["id"]))
        for reply in replies
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert len({reply.json["user"]["id"] for reply in replies}) == 3
    taken = [letter for letter in await auth.letters() if "You have an account" in letter]
    assert len(taken) == 1
    assert "To: taken@example.com" in taken[0]


async def test_registering_does_not_change_somebodys_password(auth):
    await auth.verified()
    assert (await auth.register(password="another password")).status == 201
    assert (await auth.login(password="another password")).status == 401
    assert (await auth.login()).status == 200


async def test_the_letter_that_is_read_decides_whose_password_holds(auth):
    await auth.register(password="password of a squatter")
    await auth.letters()
    await auth.register(password=PASSWORD)
    [_, mine] = await auth.letters()
    await auth.ask("POST /api/auth/verify-email", {"token": secret(mine)})
    assert (await auth.login()).status == 200
    assert (await auth.login(password="password of a squatter")).status == 401


async def test_every_reason_to_refuse_a_login_reads_the_same(auth):
    await auth.verified("known@example.com")
    await auth.register("unverified@example.com")
    refused = [
        await auth.login("known@example.com", "wrong password"),
        await auth.login("nobody@example.com"),
        await auth.login("unverified@example.com"),
    ]
    for _ in range(5):
        refused.append(await auth.login("known@example.com", "wrong password"))
    refused.append(await auth.login("known@example.com"))  # locked
    bodies = {reply.body for reply in refused}
    assert len(bodies) == 1
    assert refused[0].status == 401
    assert refused[0].json["error"] == "Login failed"
    assert refused[0].json["code"] == "login_refused"


async def test_what_is_longer_than_a_password_can_be_is_none(auth):
    longest = "x" * 256
    await auth.verified(password=longest)
    assert (await auth.login(password=longest + "y")).status == 401
    assert (await auth.login(password=longest)).status == 200


async def test_as_many_hashes_are_made_for_a_stranger_as_for_a_user(auth, monkeypatch):
    await auth.verified()
    seen: list[str] = []
    verify = auth.passwords._verify

    def looked(hashed: str, password: bytes) -> bool:
        seen.append(hashed)
        return bool(verify(hashed, password))

    monkeypatch.setattr(auth.passwords, "_verify", looked)
    await auth.login("nobody@example.com")
    await auth.login(password="wrong password")
    assert len(seen) == 2
    parameters = {hashed.rsplit("$", 2)[0] for hashed in seen}
    assert len(parameters) == 1


async def test_failures_lock_an_account_and_time_opens_it(auth):
    await auth.verified()
    for _ in range(5):
        assert (await auth.login(password="wrong password")).status == 401
    assert (await auth.login()).status == 401
    auth.clock.advance(LOCKED_SECONDS)
    assert (await auth.login()).status == 200


async def test_a_success_begins_the_count_anew(auth):
    await auth.verified()
    for _ in range(3):
        for _ in range(4):
            await auth.login(password="wrong password")
        assert (await auth.login()).status == 200


async def test_many_guesses_at_once_are_no_more_than_the_few(auth):
    await auth.verified()
    guesses = [auth.login(password=f"guess number {n}") for n in range(20)]
    right = auth.login()
    *_, last = await asyncio.gather(*guesses, right)
    assert last.status == 401


async def test_a_reset_lifts_the_lock_and_ends_all_sessions(auth):
    before = await auth.verified()
    for _ in range(6):
        await auth.login(password="wrong password")
    asked = await auth.ask("POST /api/auth/forgot-password", {"email": "ada@example.com"})
    assert asked.status == 202
    token = secret((await auth.letters())[-1])
    body = {"token": token, "password": "a new password"}
    assert (await auth.ask("POST /api/auth/reset-password", body)).json == {"reset": True}
    assert (await auth.login()).status == 401
    assert (await auth.login(password="a new password")).status == 200
    assert (await auth.refresh(before["refreshToken"])).status == 401
    assert (await auth.ask("GET /api/auth/me", token=before["token"])).status == 401
    again = await auth.ask("POST /api/auth/reset-password", body)
    assert (again.status, again.json["code"]) == (400, "invalid_token")


async def test_a_login_that_a_reset_overtakes_gets_no_session(auth, monkeypatch):
    await auth.verified()
    await auth.ask("POST /api/auth/forgot-password", {"email": "ada@example.com"})
    body = {"token": secret((await auth.letters())[-1]), "password": "a new password"}

    async def overtaken(hashed: str, password: str) -> str:
        assert (await auth.ask("POST /api/auth/reset-password", body)).status == 200
        return hashed

    with monkeypatch.context() as while_it_runs:
        while_it_runs.setattr(auth.passwords, "renewed", overtaken)
        assert (await auth.login()).status == 401
    assert await auth.world.tables.rows("select count(*) from sessions where ended_at = 0") == [
        (0,)
    ]
    assert (await auth.login(password="a new password")).status == 200


async def test_asking_for_a_letter_says_the_same_of_every_address(auth):
    await auth.verified()
    written = len(await auth.letters())
    for route in ("forgot-password", "resend-verification"):
        known = await auth.ask(f"POST /api/auth/{route}", {"email": "ada@example.com"})
        nobody = await auth.ask(f"POST /api/auth/{route}", {"email": "nobody@example.com"})
        assert known.status == nobody.status == 202
        assert known.body == nobody.body
    letters = (await auth.letters())[written:]
    assert ["Reset your password" in letter for letter in letters] == [True]


async def test_letters_to_one_address_are_few(auth):
    for _ in range(8):
        await auth.register()
    assert len(await auth.letters()) == 5
    auth.clock.advance(24 * 3600)
    await auth.ask("POST /api/auth/resend-verification", {"email": "ada@example.com"})
    assert len(await auth.letters()) == 6


async def test_nobody_is_flooded_with_notices(auth):
    await auth.verified()
    for _ in range(8):
        await auth.register()
    notices = [letter for letter in await auth.letters() if "You have an account" in letter]
    assert len(notices) == 5
    assert (await auth.login()).status == 200


async def test_a_letter_ends(auth):
    await auth.register()
    [letter] = await auth.letters()
    auth.clock.advance(24 * 3600)
    late = await auth.ask("POST /api/auth/verify-email", {"token": secret(letter)})
    assert (late.status, late.json["code"]) == (400, "invalid_token")


async def test_a_letter_of_one_kind_is_not_good_for_the_other(auth):
    await auth.register()
    [letter] = await auth.letters()
    body = {"token": secret(letter), "password": "a new password"}
    assert (await auth.ask("POST /api/auth/reset-password", body)).status == 400


@pytest.mark.parametrize(
    ("route", "body", "status", "text"),
    [
        ("register", {"email": "a@example.com", "password": PASSWORD}, 400, "Missing required fields"),
        ("register", {"email": 1, "password": PASSWORD, "username": "a"}, 400, "Missing required fields"),
        ("register", {"email": "no address", "password": PASSWORD, "username": "a"}, 400, "Bad Request"),
        ("register", {"email": "a@b.test\nBcc: c@d.test", "password": PASSWORD, "username": "a"}, 400, "Bad Request"),
        ("register", {"email": "a@example.com", "password": "short", "username": "a"}, 400, "Bad Request"),
        ("register", {"email": "a@example.com", "password": PASSWORD, "username": "a\r\n"}, 400, "Bad Request"),
        ("login", {"email": "a@example.com"}, 400, "Missing email or password"),
        ("login", {"email": "", "password": ""}, 400, "Missing email or password"),
        ("login", [], 400, "Bad Request"),
        ("logout", None, 400, "No token provided"),
        ("refresh", None, 400, "No refresh token provided"),
        ("refresh", {"refreshToken": "no such token"}, 401, "Invalid token"),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_in_the_product_apis_words(auth, route, body, status, text):
    reply = await auth.ask(f"POST /api/auth/{route}", body)
    assert (reply.status, reply.json["error"]) == (status, text)
    assert reply.headers["content-type"] == "application/problem+json"


async def test_bodies_are_bounded(auth):
    reply = await auth.ask("POST /api/auth/login", b'{"email":"' + b"a" * 20_000 + b'"}')
    assert reply.status == 413


async def test_tables_hold_no_secret_in_clear(auth):
    entered = await auth.verified()
    await auth.register("other@example.com")
    await auth.ask("POST /api/auth/forgot-password", {"email": "ada@example.com"})
    letters = [secret(letter) for letter in await auth.letters()]
    secrets = [PASSWORD, entered["token"], entered["refreshToken"], *letters]
    kept = []
    for name in ("users", "sessions", "refresh_tokens", "letters"):
        kept += await auth.world.tables.rows(f"select * from {name}")
    said = json.dumps(kept)
    assert "$argon2id$" in said
    assert [found for found in secrets if found in said] == []


async def test_what_is_not_there_is_404_and_what_is_not_taken_405(auth):
    assert (await auth.ask("GET /api/auth/nothing")).status == 404
    assert (await auth.ask("GET /api/auth/login")).headers["allow"] == "POST"
    assert (await ask(auth.app, "GET /health")).json == {"status": "healthy"}


@pytest.mark.parametrize("odd", [b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b"\xff"])
@pytest.mark.parametrize("route", ["register", "login", "forgot-password", "verify-email"])
async def test_what_is_no_text_is_an_answer_and_no_failure(auth, route, odd):
    names = b"email", b"password", b"username", b"token"
    body = b"{" + b",".join(b'"%b":"%bada@example.com"' % (name, odd) for name in names) + b"}"
    assert (await auth.ask(f"POST /api/auth/{route}", body)).status in (400, 401)
