"""Names that others made up are shown as they are: no markup of theirs is markup, no template runs, nothing is cut off unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.pages import PLACES, Place
from tests.browser.watch import too_wide
from tests.browser.world import NAUGHTY, World

HUGE = NAUGHTY[1] + "abc\u202egnp.exe\u202c" + "W" * 10_000
Visiting = Callable[..., Visit]


@pytest.fixture
def fooled(visit: Visit) -> Visit:
    """Where a script of a name's would be noticed."""
    visit.page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    return visit


def no_markup(page: Page) -> None:
    """Of the names' own: no image and no script but the page's."""
    assert page.locator("main img").count() == 0
    assert page.locator("main script").count() == 0
    expect(page.get_by_text("49 49 49")).to_have_count(0)


@pytest.mark.parametrize("path", ["keys", "documents"])
def test_they_are_shown_literally(fooled: Visit, world: World, path: str) -> None:
    page = fooled.open(path)
    files = [one["filename"] for one in world.ask("GET", "/admin/documents").json()["documents"]]
    assert NAUGHTY[1] in files, files
    for name in files if path == "documents" else NAUGHTY:
        expect(page.locator("main").get_by_text(name).first).to_be_attached()
    no_markup(page)


@pytest.mark.parametrize("name", NAUGHTY)
def test_users_are_shown_literally(fooled: Visit, name: str) -> None:
    page = fooled.open("requests?" + urlencode({"user": name}))
    row = page.get_by_role("region", name="Requests").get_by_role("row").nth(1)
    expect(row.locator("bdi").first).to_have_text(name)
    no_markup(page)


def test_models_are_shown_literally(fooled: Visit, world: World) -> None:
    page = fooled.open("requests?status=4xx")
    link = page.get_by_role("row").filter(has_text="unpriced target").first.get_by_role("link")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request")
    expect(
        page.locator("main").get_by_text("openai/<").or_(page.get_by_text('openai/"><')).first
    ).to_be_visible()
    no_markup(page)


def test_they_are_filters_too(fooled: Visit) -> None:
    page = fooled.open("requests")
    page.get_by_label("User", exact=True).fill(NAUGHTY[0])
    expect(page).to_have_url(re.compile("user="))
    rows = page.get_by_role("row").filter(has_text=NAUGHTY[0])
    expect(rows).to_have_count(2)
    expect(page.get_by_text("2 requests")).to_be_visible()
    page.reload()
    expect(page.get_by_label("User", exact=True)).to_have_value(NAUGHTY[0])
    expect(rows).to_have_count(2)
    no_markup(page)


def spoilt(value: object) -> object:
    """The same, every text of it huge: but for times, numbers in texts, and what the page chooses by."""
    if isinstance(value, dict):
        return {key: one if key in KEPT else spoilt(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one) for one in value]
    return HUGE if isinstance(value, str) and not value[:1].isdigit() else value


KEPT = {"status", "unit", "next", "csrf", "period", "state"}


@pytest.mark.parametrize("place", PLACES, ids=[place.heading.lower() for place in PLACES])
def test_no_text_of_the_gateway_breaks_a_page(visiting: Visiting, place: Place) -> None:
    """Whatever stands in a reply, the page stands, fits a phone, and shows it as text."""
    visit = visiting(width=360)
    visit.sign_in()

    def spoil(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=json.dumps(spoilt(reply.json())))

    visit.context.route("**/admin/**", spoil)
    visit.context.route("**/v1/models", spoil)
    visit.page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    page = visit.open(place.path)
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text(place.heading)
    no_markup(page)
    assert too_wide(page) == []
