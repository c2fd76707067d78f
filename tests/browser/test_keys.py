"""Keys by their buttons: made and shown once, revoked and refused from then on."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Visit


def chat(visit: Visit, key: str) -> int:
    body = {"model": "auto", "messages": [{"role": "user", "content": f"Hello of {key[:8]}"}]}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(
        f"{visit.world.url}/v1/chat/completions", json=body, headers=headers
    ).status_code


def test_a_key_is_made_shown_once_and_revoked(visit: Visit) -> None:
    page = visit.open("keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Weekly <b>digest</b>")
    dialog.get_by_label("Tenant").fill("acme")
    dialog.get_by_role("button", name="Make the key").click()
    shown = dialog.locator("code")
    expect(shown).to_contain_text("pk-")
    key = shown.inner_text()
    page.keyboard.press("Escape")
    expect(shown).to_be_visible()
    visit.shot("key-once")
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_be_hidden()
    assert key not in page.content()
    assert chat(visit, key) == 200

    row = page.get_by_role("row").filter(has_text="Weekly <b>digest</b>")
    expect(row).to_contain_text("active")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("active")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke the key").click()
    expect(row).to_contain_text("revoked")
    expect(page.get_by_role("log", name="Notices")).to_contain_text("is revoked")
    assert chat(visit, key) == 401


def test_a_key_that_is_refused_says_why(visit: Visit) -> None:
    visit.watch.expect(400)
    page = visit.open("keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("of nobody")
    dialog.get_by_label("Acts as user").fill("\u200b\u0007")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("of nobody")


def test_the_key_is_copied_by_its_button(visit: Visit) -> None:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=visit.world.url)
    page = visit.open("keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("copied")
    page.keyboard.press("Enter")
    key = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Copy the key").click()
    expect(dialog.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
