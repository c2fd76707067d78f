"""Who gets into the dashboard, who does not, and how a session ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from penstock.auth.mint import mint
from tests.browser.conftest import ADMIN, Visit
from tests.browser.world import World, served
from tests.clients.process import SECRET, token

BEFORE = 401
"""What the page is told before anybody is signed in."""
Visiting = Callable[..., Visit]


def sign_in(visit: Visit, credential: str) -> Page:
    """By the form."""
    visit.watch.expect(BEFORE)
    visit.page.goto("/dashboard/")
    visit.page.get_by_label("Admin key or token").fill(credential)
    visit.page.get_by_role("button", name="Sign in").click()
    return visit.page


def signed_out(page: Page) -> None:
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def overview(page: Page) -> None:
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_a_token_with_the_scope_opens_the_overview(visiting: Visiting) -> None:
    credential = token("operator", scope=ADMIN)
    page = sign_in(visiting(), credential)
    overview(page)
    kept = page.evaluate(
        "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]"
    )
    assert kept[0] == ""
    assert not any(credential in text for text in (*kept, page.content()))
    page.reload()
    overview(page)


def test_an_api_key_opens_it_until_it_is_revoked(visiting: Visiting, world: World) -> None:
    made = world.key("for the dashboard", scopes=["admin"])
    page = sign_in(visiting(), made["key"])
    overview(page)
    assert world.ask("DELETE", f"/admin/keys/{made['id']}").status_code == 204
    signed_out(page)  # the overview asks again every few seconds


def test_a_session_ends_with_its_token(visiting: Visiting) -> None:
    claims = {"sub": "operator", "scope": ADMIN}
    short = mint(claims, SECRET, now=time.time(), lifetime=6.0)
    visit = visiting()
    visit.watch.expect(BEFORE)
    visit.sign_in(short)
    visit.page.goto("/dashboard/")
    signed_out(visit.page)


def test_a_wrong_key_is_told_so(visiting: Visiting) -> None:
    page = sign_in(visiting(), "pk-wrong")
    expect(page.get_by_text("does not know this key or token")).to_be_visible()
    field = page.get_by_label("Admin key or token")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    page.reload()
    signed_out(page)


def test_a_key_without_the_scope_is_told_so(visiting: Visiting, world: World) -> None:
    visit = visiting()
    visit.watch.expect(403)
    page = sign_in(visit, token("ana", scope="chat"))
    expect(page.get_by_text("lacks the scope")).to_be_visible()
    assert visit.context.cookies() == []


def test_who_guesses_is_made_to_wait(visiting: Visiting, tmp_path_factory) -> None:
    with served(tmp_path_factory.mktemp("guesses") / "gateway") as world:
        visit = visiting(where=world)
        tries = [
            world.client.post("/dashboard/session", json={"credential": "pk-guess"}).status_code
            for _ in range(12)
        ]
        assert tries[-1] == 429, tries
        visit.watch.expect(429)
        page = sign_in(visit, token("operator", scope=ADMIN))
        expect(page.get_by_text("Too many tries")).to_be_visible()
        visit.page.close()


def test_signing_out_ends_the_session_everywhere(visiting: Visiting, world: World) -> None:
    visit = visiting()
    visit.sign_in()
    [cookie] = visit.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    visit.watch.expect(BEFORE)
    page = visit.open()
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    signed_out(page)
    page.go_back()
    signed_out(page)
    stolen = {"cookie": f"{cookie['name']}={cookie['value']}"}
    assert httpx.get(f"{world.url}/admin/keys", headers=stolen).status_code == 401


def test_a_page_asked_for_before_signing_in_is_shown_after(visiting: Visiting) -> None:
    visit = visiting()
    visit.watch.expect(BEFORE)
    visit.page.goto("/dashboard/keys")
    visit.page.get_by_label("Admin key or token").fill(token("operator", scope=ADMIN))
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
