"""The log of requests and what stands behind each: narrowed by its address, paged, explained, to the nano-dollar."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.axe import grave
from tests.browser.conftest import Visit
from tests.browser.watch import too_wide
from tests.browser.world import World

Visiting = Callable[..., Visit]
STORIES = {
    "bought": ("openai/gpt-4o-mini was asked", "answered", "heuristic"),
    "hit": ("from the cache: no target was asked", "hit", "heuristic"),
    "failed": ("Tried openai/gpt-4o-mini; none answered", "failed", "upstream failed"),
    "refused": ("refused before any target was asked", "insufficient quota", "fixed"),
    "streamed": ("openai/gpt-4o-mini was asked", "answered", "simple", "First piece after"),
}


@pytest.mark.parametrize("kind", STORIES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_request_is_explained(visiting: Visiting, world: World, kind: str, theme: str) -> None:
    visit = visiting(theme)
    visit.sign_in()
    id = world.made[kind]
    page = visit.open(f"requests/{id}")
    main = page.locator("main")
    for text in (id, *STORIES[kind]):
        expect(main).to_contain_text(text)
    told = world.ask("GET", f"/admin/requests/{id}").json()
    exact = f"${int(told['costNanos']) / 1e9:.9f}".rstrip("0")
    expect(main).to_contain_text(exact if told["cost"] else "$0.00")
    assert page.get_by_role("region", name="Rows of the ledger").get_by_role("row").count() == (
        len(told["ledger"]) + 1 if told["ledger"] else 0
    )
    visit.shot(f"request-{kind}-{theme}")
    assert grave(page) == []


def test_a_warm_target_is_told_with_what_it_saves(visit: Visit, world: World) -> None:
    told = world.ask("GET", f"/admin/requests/{world.made['bought']}").json()
    told["decision"]["warm"] = {
        "target": "openai/gpt-4o", "tokens": 2048, "deployment": None, "insteadOf": "openai/gpt-4o-mini",
        "savesNanos": "1500000",
    }  # fmt: skip
    visit.page.route("**/admin/requests/*", lambda route: route.fulfill(json=told))
    main = visit.open(f"requests/{told['id']}").locator("main")
    expect(main).to_contain_text("openai/gpt-4o went before openai/gpt-4o-mini: 2,048 tokens")


def test_it_fits_a_phone(visiting: Visiting, world: World) -> None:
    visit = visiting(width=360)
    visit.sign_in()
    page = visit.open(f"requests/{world.made['bought']}")
    expect(page.get_by_role("heading", name="Ledger")).to_be_visible()
    visit.shot("request-phone")
    assert too_wide(page) == []


def test_one_that_does_not_exist(visit: Visit) -> None:
    visit.watch.expect(404)
    page = visit.open("requests/req_0")
    expect(page.get_by_text("There is no such request")).to_be_visible()
    page.get_by_role("link", name="All requests").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Requests")


def test_filters_stand_in_the_address(visit: Visit) -> None:
    page = visit.open("requests?status=5xx&user=dora")
    log = page.get_by_role("region", name="Requests")
    rows = log.get_by_role("row").filter(has=page.get_by_role("link"))
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("upstream failed")
    page.get_by_label("Status").select_option("4xx")
    expect(page).to_have_url(re.compile("status=4xx"))
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("unpriced target")
    page.get_by_label("Cache").select_option("hit")
    expect(page.get_by_text("No request is like that")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page).to_have_url(re.compile(r"/requests$"))
    expect(log).to_contain_text("dora")


def test_more_is_loaded_by_its_button(visit: Visit, world: World) -> None:
    for number in range(55):
        assert world.chat("one of many", sub="many", temperature=number / 100).status_code == 200
    page = visit.open("requests?user=many")
    log = page.get_by_role("region", name="Requests")
    links = log.get_by_role("link")
    expect(links).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(links).to_have_count(55)
    expect(page.get_by_text("55 requests")).to_be_visible()
    expect(page.get_by_role("button", name="Load more")).to_be_hidden()
    ids = {link.get_attribute("href") for link in links.all()}
    assert len(ids) == 55
    page.get_by_role("button", name="Refresh").click()
    expect(links).to_have_count(50)


def test_a_next_page_that_fails_is_told_and_asked_again(visit: Visit, world: World) -> None:
    visit.watch.expect(503)
    for number in range(52):
        world.chat("one of many more", sub="more", temperature=number / 100)
    page = visit.open("requests?user=more")
    links = page.get_by_role("region", name="Requests").get_by_role("link")
    expect(links).to_have_count(50)
    problem = {"code": "service_unavailable", "detail": "A store is out of reach.", "status": 503}
    page.route("**/admin/requests?*before=*", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("button", name="Load more").click()
    expect(page.get_by_role("alert")).to_contain_text("out of reach")
    expect(links).to_have_count(50)
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(links).to_have_count(52)
    expect(page.get_by_role("alert")).to_have_count(0)
