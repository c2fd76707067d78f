"""The keyboard alone: signing in, going from page to page, a dialog, the themes."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ADMIN, Visit
from tests.clients.process import token

MOST_STEPS = 60
Visiting = Callable[..., Visit]


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Presses Tab until the focus is there, seeing each time that it can be seen."""
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"not reached by {MOST_STEPS} times {key}: {wanted}")


def test_a_whole_errand_without_a_mouse(visiting: Visiting) -> None:
    visit = visiting()
    visit.watch.expect(401)
    page = visit.page
    page.goto("/dashboard/")
    expect(page.get_by_label("Admin key or token")).to_be_focused()
    page.keyboard.insert_text(token("operator", scope=ADMIN))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()

    tab_to(page, page.get_by_role("link", name="Keys"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    expect(page.locator("main")).to_be_focused()

    opener = page.get_by_role("button", name="New key")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_skip_link_leads_past_the_navigation(visit: Visit) -> None:
    page = visit.open("keys")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_focus_can_be_seen(visit: Visit) -> None:
    page = visit.open("keys")
    link = page.get_by_role("link", name="Cache")
    tab_to(page, link)
    style = link.evaluate(
        "(one) => getComputedStyle(one).outlineStyle + getComputedStyle(one).outlineWidth"
    )
    assert style == "solid2px"


def test_a_table_scrolls_by_keyboard(visiting: Visiting) -> None:
    visit = visiting(width=360)
    visit.sign_in()
    page = visit.open("keys")
    table = page.get_by_role("region", name="List of API keys")
    tab_to(page, table)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(one) => one.scrollLeft > 0", arg=table.element_handle())


def test_the_theme_is_chosen_and_kept(visit: Visit) -> None:
    page = visit.open("keys")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    chosen = page.get_by_role("radio", name="As the system")
    tab_to(page, chosen)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate(ground) != light


def test_the_navigation_on_a_phone(visiting: Visiting) -> None:
    visit = visiting(width=360)
    visit.sign_in()
    page = visit.open()
    link = page.get_by_role("link", name="Cache")
    expect(link).to_be_hidden()
    tab_to(page, page.get_by_role("button", name="Navigation"))
    page.keyboard.press("Enter")
    tab_to(page, link)
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Navigation").click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cache")
    expect(link).to_be_hidden()
