"""What a reader could lose or be misled by."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit


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
