"""Registration, login, refresh and logout through the gateway: what is refused, what is noted, what a logout ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from penstock.errors import Broken
from penstock.gateway import accounts
from penstock.gateway.upkeep import upkeep
from penstock.ledger import logins
from penstock.wire.http import Request, Response
from tests.path.services import Backend, Served
from tests.path.world import Script, read

AUTH = """
[services.auth]
backends = [{ url = "http://auth.test" }]
"""
PROXY = '[server]\ntrusted_proxies = ["10.0.0.0/8"]\n'
ADA = {"email": "ada@example.com", "password": "correct horse"}
NEW = ADA | {"username": "ada"}
MADE = {"user": {"id": "usr_1", "email": "ada@example.com"}}


def made(request: Request) -> Response:
    return Response(201, [("content-type", "application/json")], json.dumps(MADE).encode())


def answering(status: int, body: bytes = b"") -> Backend:
    return lambda request: Response(status, [], body)


class People(Served):
    """A world whose auth service a test answers for."""

    def __init__(self, more: str = AUTH, **kinds: Any) -> None:
        super().__init__(more, **kinds)
        self.answer: Backend = made
        self.otherwise = lambda request: self.answer(request)

    async def post(self, segment: str, body: Any = None, **more: Any) -> Response:
        more.setdefault("token", None)
        return await self.ask(f"/api/auth/{segment}", body, **more)

    async def rows(self, table: str) -> list[tuple[Any, ...]]:
        await self.gateway.journal.flush()
        names = "email, user_id, ip, country, referrer"
        if table == "logins":
            names = "email, success, ip, country"
        return [*map(tuple, await self.platform.tables.rows(f"select {names} from {table}"))]


async def problem(response: Response) -> tuple[int, str]:
    return response.status, json.loads(await read(response))["error"]


async def test_a_registration_goes_on_as_it_came_and_is_noted():
    world = People(PROXY + AUTH)
    headers = [
        ("referer", "https://app.test/join"),
        ("x-forwarded-for", "198.51.100.7"),
        ("cf-ipcountry", "NZ"),
        ("accept-encoding", "gzip"),
    ]
    raw = b'{ "email" : "ada@example.com", "password":"correct horse","username":"ada", "more": 1 }'
    reply = await world.post("register", raw, headers=headers, client="10.0.0.1")
    assert (reply.status, json.loads(await read(reply))) == (201, MADE)
    assert world.last.body == raw
    assert world.sent("accept-encoding") == ["identity"]
    assert await world.rows("registrations") == [
        ("ada@example.com", "usr_1", "198.51.100.7", "NZ", "https://app.test/join")
    ]
    assert await world.rows("logins") == []


async def test_a_country_is_believed_of_a_trusted_proxy_alone():
    world = People()
    await world.post("register", NEW, headers=[("cf-ipcountry", "NZ")])
    assert await world.rows("registrations") == [("ada@example.com", "usr_1", "192.0.2.1", "", "")]


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"user": 1}', b'{"user": {"id": ""}}', b'{"user": {"id": true}}', b"\xff"])  # fmt: skip
async def test_a_reply_without_a_user_is_of_an_unknown_one(body):
    world = People()
    world.answer = lambda request: Response(200, [], body)
    assert await read(await world.post("register", NEW)) == body
    assert [row[1] for row in await world.rows("registrations")] == ["unknown"]


async def test_a_streamed_reply_is_read_as_it_passes():
    world = People()
    whole = json.dumps(MADE).encode()
    world.answer = lambda request: Response(201, [], Script([whole[:7], whole[7:]]))
    assert await read(await world.post("register", NEW)) == whole
    assert [row[1] for row in await world.rows("registrations")] == ["usr_1"]


@pytest.mark.parametrize("parts", [[b'{"user":', Broken()], [b"x" * 40_000, b"y" * 400_000]])
async def test_a_reply_that_breaks_off_or_has_no_end_is_a_registration_too(parts):
    world = People()
    world.answer = lambda request: Response(201, [], Script(parts))
    reply = await world.post("register", NEW)
    with suppress(Broken):
        await read(reply)
    assert [row[1] for row in await world.rows("registrations")] == ["unknown"]


@pytest.mark.parametrize("status", [400, 409, 500, 303])
async def test_a_registration_that_the_service_refused_is_not_noted(status):
    world = People()
    world.answer = lambda request: Response(status, [], b"its own words")
    reply = await world.post("register", NEW)
    assert (reply.status, await read(reply)) == (status, b"its own words")
    assert await world.rows("registrations") == []


async def test_every_login_attempt_is_noted():
    world = People()
    for status, told in ((200, 200), (401, 401), (503, 502)):
        world.answer = answering(status, b"{}")
        assert (await world.post("login", ADA)).status == told
    world.down("auth.test")
    assert await problem(await world.post("login", ADA)) == (502, "Login failed")
    assert await world.rows("logins") == [
        ("ada@example.com", success, "192.0.2.1", "") for success in (1, 0, 0, 0)
    ]


async def test_who_leaves_before_the_answer_has_tried_all_the_same():
    world = People()
    waiting = asyncio.Event()

    async def never(request: Request) -> Response:
        await waiting.wait()
        return Response(200)

    world.answer = never
    asking = asyncio.ensure_future(world.post("login", ADA))
    await world.reached(1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert [row[1] for row in await world.rows("logins")] == [0]


async def test_a_failed_registration_says_so():
    world = People()
    world.down("auth.test")
    assert await problem(await world.post("register", NEW)) == (502, "Registration failed")


@pytest.mark.parametrize(
    ("segment", "body", "error"),
    [
        ("register", None, "Missing required fields"),
        ("register", [], "Missing required fields"),
        ("register", ADA, "Missing required fields"),
        ("register", NEW | {"username": " "}, "Missing required fields"),
        ("register", NEW | {"password": 12345678}, "Missing required fields"),
        ("register", NEW | {"email": None}, "Missing required fields"),
        ("register", b'{"email": "a@b.c", "email": "d@e.f"}', "Missing required fields"),
        ("register", NEW | {"email": "nobody"}, "Bad Request"),
        ("register", NEW | {"email": "a@b"}, "Bad Request"),
        ("register", NEW | {"email": "a@b.c\nbcc: d@e.f"}, "Bad Request"),
        ("register", NEW | {"email": "a" * 300 + "@b.cd"}, "Bad Request"),
        ("register", NEW | {"password": "p" * 1025}, "Bad Request"),
        ("login", None, "Missing email or password"),
        ("login", {"email": "ada@example.com"}, "Missing email or password"),
        ("login", ADA | {"password": ""}, "Missing email or password"),
        ("login", ADA | {"email": ["a@b.c"]}, "Missing email or password"),
        ("login", ADA | {"password": "p" * 1025}, "Bad Request"),
        ("refresh", {}, "No refresh token provided"),
        ("logout", {}, "No token provided"),
    ],
)  # fmt: skip
async def test_what_is_missing_is_said_and_goes_no_further(segment, body, error):
    world = People()
    assert await problem(await world.post(segment, body)) == (400, error)
    assert world.seen == []
    assert await world.rows("logins") == await world.rows("registrations") == []


async def test_a_large_body_goes_no_further():
    world = People()
    assert (await world.post("login", ADA | {"more": "x" * accounts.MOST_BODY})).status == 413
    packed = [("content-encoding", "gzip")]
    assert (await world.post("login", ADA, headers=packed)).status == 415
    assert world.seen == []


async def test_the_rates_hold_under_every_name():
    world = People()
    statuses = [(await world.post("register", NEW)).status for _ in range(4)]
    statuses += [
        (await world.ask("/api/auth/signup", NEW)).status,
        (await world.post("register/", NEW)).status,
    ]
    # `signup` asks for a token, and is counted for its caller.
    assert statuses == [201] * 6
    assert await problem(await world.post("register", NEW)) == (429, "Rate limit exceeded")


@pytest.mark.parametrize(
    "segment", ["LOGIN", "/login", "login;x=1", "Login/", "login ", "SignIn", "//signin;a/"]
)
async def test_a_name_that_a_service_may_read_as_login_is_held_as_login(segment):
    world = People()
    assert (await world.post(segment, ADA)).status == 401
    assert await problem(await world.post(segment, {}, token="")) == (
        400,
        "Missing email or password",
    )
    world.answer = answering(401)
    assert (await world.post(segment, ADA, token="")).status in (400, 401)
    rows = await world.rows("logins")
    assert len(rows) == 1
    for _ in range(8):
        await world.post(segment, {}, token="")
    assert (await world.post(segment, ADA, token="")).status == 429


async def test_no_other_path_is_held_so():
    world = People()
    statuses = [(await world.post("Logins/Abc;x", {}, token="")).status for _ in range(12)]
    assert statuses == [201] * 12


async def test_logins_of_an_address_are_counted_together():
    world = People()
    world.answer = lambda request: Response(401, [], b"{}")
    statuses = [(await world.post("login", ADA | {"email": f"{n}@b.cd"})).status for n in range(11)]
    assert statuses == [401] * 10 + [429]
    assert (await world.post("login", ADA, client="192.0.2.2")).status == 401
    assert len(await world.rows("logins")) == 11


async def test_refresh_and_logout_are_counted():
    world = People('[limits]\nother = "3/h"\n' + AUTH)
    token = [("x-refresh-token", "r")]
    assert [(await world.post("refresh", headers=token)).status for _ in range(4)] == [201] * 3 + [
        429
    ]
    world.answer = lambda request: Response(401)
    statuses = [(await world.post("logout", token="")).status for _ in range(4)]
    assert statuses == [401] * 3 + [429]


async def test_an_admin_sees_them_counted():
    world = People()
    admin = world.token("root", role="admin")
    await world.post("register", NEW)
    for status in (200, 401, 401):
        world.answer = answering(status)
        await world.post("login", ADA, client="192.0.2.9" if status == 401 else "192.0.2.1")
    counted = {"attempts": 3, "succeeded": 1, "failed": 2, "registrations": 1}
    told = json.loads(await read(await world.get("/admin/logins", token=admin)))
    assert told == {"rows": [{"period": "2027-01-15", **counted}], "totals": counted}
    by_ip = json.loads(await read(await world.get("/admin/logins", "by=ip", admin)))["rows"]
    assert [(row["ip"], row["failed"], row["registrations"]) for row in by_ip] == [
        ("192.0.2.9", 2, 0),
        ("192.0.2.1", 0, 1),
    ]
    for by in ("hour", "email", "country"):
        [row] = json.loads(await read(await world.get("/admin/logins", f"by={by}", admin)))["rows"]
        assert row["attempts"] == 3
    assert (await world.get("/admin/logins", "by=password", admin)).status == 400
    assert (await world.get("/admin/logins")).status == 403


async def test_emails_may_be_kept_as_hashes():
    world = People('[accounts]\nemails = "hashed"\n' + AUTH)
    await world.post("login", ADA)
    await world.post("login", ADA | {"email": " ADA@example.com"})
    await world.post("login", ADA | {"email": "eve@example.com"})
    one, two, three = [row[0] for row in await world.rows("logins")]
    assert one == two != three
    assert one == logins.hidden("ada@example.com", world.platform.secret)
    assert len(one) == 64
    assert "@" not in one


async def test_nothing_is_kept_where_nothing_is_to_be():
    world = People("[accounts]\nretention_days = 0\n" + AUTH)
    await world.post("login", ADA)
    await world.post("register", NEW)
    assert await world.rows("logins") == await world.rows("registrations") == []


async def test_what_is_old_is_dropped():
    world = People("[accounts]\nretention_days = 30\n" + AUTH)
    await world.post("login", ADA)
    await world.post("register", NEW)
    await upkeep(world.gateway)
    assert len(await world.rows("logins")) == 1
    world.platform.clock.advance(31 * 86_400 + 60)
    await world.post("login", ADA)
    await upkeep(world.gateway)
    assert len(await world.rows("logins")) == 2
    world.platform.clock.advance(3_600 - 1)
    await upkeep(world.gateway)
    assert len(await world.rows("logins")) == 1
    assert await world.rows("registrations") == []


async def test_what_others_wrote_is_kept_short_and_plain():
    world = People()
    await world.post("register", NEW, headers=[("referer", "https://a.test/\x7f" + "x" * 900)])
    [(_, _, _, _, referrer)] = await world.rows("registrations")
    assert referrer == "https://a.test/" + "x" * 484


async def test_a_services_own_name_for_a_login_is_no_second_chance():
    world = People(AUTH + 'rewrite = { login = "enter" }\n')
    world.answer = answering(401)
    for segment, token in (("login", None), ("enter", world.token())):
        assert (await world.post(segment, ADA, token=token)).status == 401
        assert world.last.target == b"http://auth.test/api/auth/enter"
    assert (await world.post("enter", ADA)).status == 401
    assert len(world.seen) == 2
    assert len(await world.rows("logins")) == 2
    replies = [await world.post("enter", ADA, token=world.token()) for _ in range(10)]
    assert [reply.status for reply in replies] == [401] * 9 + [429]
