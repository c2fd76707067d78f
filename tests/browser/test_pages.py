"""Every page: with data, without any, when the gateway fails, in both themes, on a phone, as axe and as a keyboard see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import grave
from tests.browser.conftest import Theme, Visit
from tests.browser.pages import PLACES, Place
from tests.browser.watch import too_wide
from tests.browser.world import World
from tests.clients.process import SECRET, Penstock

PHONE = 360
NARROWEST = 320
"""What WCAG 2.1 asks of a page that is read at four times its size."""
IDS = [place.heading.lower() for place in PLACES]
TRY_AGAIN = (
    """document.querySelectorAll('main [role=alert] button').forEach((one) => one.click())"""
)
FROM_GATEWAY = "**/{admin,v1}/**"
each_page = pytest.mark.parametrize("place", PLACES, ids=IDS)
Visiting = Callable[..., Visit]


def settled(page: Page) -> None:
    """All that was asked for is there."""
    expect(page.locator(".skeleton")).to_have_count(0)
    page.wait_for_load_state("networkidle") if not page.locator("canvas").count() else None


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that was just installed."""
    home = tmp_path_factory.mktemp("bare") / "gateway"
    with Penstock(home, "", {"JWT_SECRET": SECRET}) as gateway:
        world = World(gateway)
        with world.client:
            yield world


@each_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_shows_its_data_and_axe_has_nothing_grave_to_say(
    visiting: Visiting, place: Place, theme: Theme
) -> None:
    visit = visiting(theme)
    visit.sign_in()
    page = visit.open(place.path)
    expect(page.get_by_role("heading", level=1)).to_have_text(place.heading)
    expect(page.locator("main").get_by_text(place.full).first).to_be_visible()
    settled(page)
    visit.shot(f"{place.heading.lower()}-{theme}")
    assert grave(page) == []


def test_the_overview_asks_for_its_figures_once_and_before_its_script(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda one: asked.append(one.url.removeprefix(visit.world.url)))
    page = visit.open()
    expect(page.locator(".hero").first).to_be_visible()
    settled(page)
    figures = [one for one in asked if one.startswith("/admin/reports/overview")]
    assert len(figures) == asked.count("/dashboard/session") == 1
    script = next(at for at, one in enumerate(asked) if one.endswith(".js"))
    assert asked.index(figures[0]) < script


@each_page
def test_it_fits_a_phone(visiting: Visiting, place: Place) -> None:
    visit = visiting(width=PHONE, height=740)
    visit.sign_in()
    page = visit.open(place.path)
    expect(page.locator("main").get_by_text(place.full).first).to_be_attached()
    settled(page)
    visit.shot(f"{place.heading.lower()}-phone")
    assert too_wide(page) == []
    assert grave(page) == []
    page.set_viewport_size({"width": NARROWEST, "height": 740})
    visit.open(place.path)
    expect(page.locator("main").get_by_text(place.full).first).to_be_attached()
    settled(page)
    assert too_wide(page) == []


@each_page
def test_it_says_that_there_is_nothing_yet(visiting: Visiting, bare: World, place: Place) -> None:
    visit = visiting(where=bare)
    visit.sign_in()
    page = visit.open(place.path)
    expect(page.locator("main").get_by_text(place.empty).first).to_be_visible()
    settled(page)
    visit.shot(f"{place.heading.lower()}-empty")
    assert grave(page) == []


@each_page
def test_it_says_what_failed_and_tries_again(visiting: Visiting, place: Place) -> None:
    visit = visiting()
    visit.watch.expect(500)
    visit.sign_in()
    problem = {"code": "internal_error", "detail": "Nobody <b>foresaw</b> it.", "status": 500}
    visit.context.route(FROM_GATEWAY, lambda route: route.fulfill(status=500, json=problem))
    page = visit.open(place.path)
    alert = page.locator("main").get_by_role("alert").first
    expect(alert).to_contain_text("Nobody <b>foresaw</b> it.")
    expect(alert).to_contain_text("internal_error")
    visit.shot(f"{place.heading.lower()}-failed")
    assert grave(page) == []
    visit.context.unroute(FROM_GATEWAY)
    page.evaluate(
        TRY_AGAIN
    )  # of all at once: a card that asks again by itself takes its button away
    expect(page.locator("main").get_by_text(place.full).first).to_be_visible()
    expect(page.locator("main").get_by_role("alert")).to_have_count(0)


@each_page
def test_a_gateway_out_of_reach_is_told(visiting: Visiting, place: Place) -> None:
    visit = visiting()
    visit.watch.expect(failed=True)
    visit.sign_in()

    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    visit.context.route(FROM_GATEWAY, refuse)
    page = visit.open(place.path)
    expect(page.locator("main").get_by_role("alert").first).to_contain_text("did not answer")


def test_a_page_that_does_not_exist(visit: Visit) -> None:
    visit.page.goto("/dashboard/nowhere")
    expect(visit.page.get_by_text("There is no such page")).to_be_visible()
    visit.page.get_by_role("link", name="Go to the overview").click()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Overview")
