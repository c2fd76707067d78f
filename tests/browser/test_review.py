"""What a reader could lose or be misled by."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from playwright.sync_api import Route, expect

from tests.browser.conftest import ADMIN, Visit
from tests.clients.process import token


def test_no_number_of_escapes_loses_a_key_that_is_shown_once(visit: Visit) -> None:
    page = visit.open("keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("escaped")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.locator("code")).to_contain_text("pk-")
    for _ in range(6):
        page.keyboard.press("Escape")
    page.mouse.click(2, 2)
    page.keyboard.press("Escape")
    expect(dialog.locator("code")).to_contain_text("pk-")
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="New key").click()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_when_a_key_was_made_is_told_whole(visit: Visit) -> None:
    page = visit.open("keys")
    made = page.locator("tbody time").first
    expect(made).to_be_visible()
    cut = made.evaluate("one => one.parentElement.scrollWidth > one.parentElement.clientWidth")
    assert not cut


def test_signing_in_says_what_to_do_where_it_is_not_the_keys_fault(
    visiting: Callable[..., Visit],
) -> None:
    visit = visiting()
    visit.watch.expect(401, 403, 429)
    page = visit.page
    for status, code, headers, told in (
        (403, "csrf", {}, "server.trusted_proxies"),
        (403, "insufficient_scope", {}, "lacks the scope"),
        (429, "rate_limit_exceeded", {"retry-after": "899"}, "14 min 59 s"),
    ):
        page.unroute_all()
        page.route(
            "**/dashboard/session",
            partial(_refused, status=status, headers=headers, body=json.dumps({"code": code})),
        )
        page.goto("/dashboard/")
        page.get_by_label("Admin key or token").fill("pk-x")
        page.keyboard.press("Enter")
        expect(page.get_by_text(told)).to_be_visible()


def _refused(route: Route, status: int, headers: dict[str, str], body: str) -> None:
    if route.request.method != "POST":
        route.continue_()
        return
    kind = {"content-type": "application/problem+json"}
    route.fulfill(status=status, headers=kind | headers, body=body)


def test_the_other_cards_do_not_wait_for_figures_that_are_slow(visit: Visit) -> None:
    page = visit.page
    page.route("**/admin/reports/overview?*", lambda _: None)  # as one that never ends
    visit.open()
    expect(page.get_by_role("heading", name="Fullest budgets")).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(2)
    page.unroute_all(behavior="ignoreErrors")


def test_figures_that_are_slower_than_their_pace_are_asked_for_once(visit: Visit) -> None:
    asked: list[Route] = []
    page = visit.page
    page.clock.install()
    page.route("**/admin/reports/overview?*", lambda one: asked.append(one))
    visit.open()
    expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
    page.clock.run_for(20_000)
    expect(page.get_by_role("heading", name="Fullest budgets")).to_be_visible()
    assert len(asked) == 1
    asked[0].continue_()
    expect(page.locator(".hero data").first).to_be_visible()


def test_whoever_signs_in_is_told_what_is_so_then(visit: Visit) -> None:
    """The figures came with the page, but the session was over."""
    visit.watch.expect(401)
    page, asked = visit.page, []
    page.on("request", lambda one: asked.append(one.url))
    page.route("**/dashboard/session", _over)
    page.goto("/dashboard")
    field = page.get_by_label("Admin key or token")
    expect(field).to_be_visible()
    page.wait_for_load_state("networkidle")
    field.fill(token("operator", scope=ADMIN))
    asked.clear()
    page.keyboard.press("Enter")
    expect(page.locator(".hero data").first).to_be_visible()
    assert any("/admin/reports/overview?" in url for url in asked)


def _over(route: Route) -> None:
    if route.request.method == "GET":
        route.fulfill(status=401, json={"code": "missing_credential"})
    else:
        route.continue_()


def test_errors_of_users_are_not_told_as_none(visit: Visit) -> None:
    page = visit.open("usage?of=user&show=errors")
    expect(page.get_by_text("Errors are not known here")).to_be_visible()
    page = visit.open("usage?of=model&show=errors")
    expect(page.get_by_role("img", name="Chart: Errors by day")).to_be_visible()
