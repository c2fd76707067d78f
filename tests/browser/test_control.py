"""Budgets, documents, services and the cache, as their pages tell them and as buttons change them."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.world import World


def test_a_budget_near_its_cap_stands_first(visit: Visit) -> None:
    page = visit.open("budgets")
    rows = page.get_by_role("region", name="How running budgets stand").get_by_role("row")
    near = rows.nth(1)
    expect(near).to_contain_text("frugal")
    expect(near.get_by_role("meter")).to_have_attribute("aria-valuetext", re.compile(r"^89"))
    expect(near.locator("data").first).to_have_attribute("title", "$0.008905 exactly")
    expect(page.get_by_role("region", name="Budgets as configured")).to_contain_text("acme")
    expect(page.get_by_role("region", name="What each tier may ask")).to_contain_text("enterprise")


def test_documents_by_their_state(visit: Visit) -> None:
    page = visit.open("documents")
    page.get_by_role("button", name="failed").click()
    expect(page).to_have_url(re.compile("status=failed"))
    rows = page.get_by_role("region", name="List of documents").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("empty.txt")
    expect(rows.nth(1)).to_contain_text("document empty")


def test_services_up_and_down(visit: Visit) -> None:
    page = visit.open("services")
    expect(page.get_by_role("region", name="Backends of orders")).to_contain_text("up")
    expect(page.get_by_role("region", name="Backends of stock")).to_contain_text("bad")
    expect(page.get_by_text("0 of 1 up")).to_be_visible()


def test_the_cache_is_purged_after_a_question(visit: Visit, world: World) -> None:
    asked = {"sub": "keeper", "model": "openai/gpt-4o-mini"}
    world.chat("kept until purged", **asked)
    assert world.chat("kept until purged", **asked).headers["x-penstock-cache"] == "hit"
    page = visit.open("cache")
    page.get_by_label("Owner").fill("acme/keeper")
    page.get_by_role("button", name="Purge what fits…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("acme/keeper")
    dialog.get_by_role("button", name="Cancel").click()
    assert world.chat("kept until purged", **asked).headers["x-penstock-cache"] == "hit"
    page.get_by_role("button", name="Purge what fits…").click()
    dialog.get_by_role("button", name="Purge", exact=True).click()
    expect(page.get_by_role("log", name="Notices")).to_contain_text("purged")
    expect(page.get_by_label("Owner")).to_have_value("")
    assert world.chat("kept until purged", **asked).headers["x-penstock-cache"] == "miss"


def test_a_purge_that_is_refused_says_why(visit: Visit) -> None:
    visit.watch.expect(400)
    page = visit.open("cache")
    field = page.get_by_label("Key of one entry")
    field.fill("nonsense")
    page.get_by_role("button", name="Purge what fits…").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge", exact=True).click()
    notice = page.get_by_role("log", name="Notices")
    expect(notice).to_contain_text("invalid_")
    expect(field).to_have_value("nonsense")
