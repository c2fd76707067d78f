"""The playground: a chat that streams, one that is stopped half-way, one that fails, and what is told of each."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.world import World

REQUEST = re.compile(r"req_[0-9a-f]{32}")


def ask(page: Page, text: str) -> Locator:
    """Sends a message; its turn."""
    turns = page.get_by_role("log", name="What was said").get_by_role("article")
    before = turns.count()
    box = page.get_by_role("textbox", name="Message", exact=True)
    box.fill(text)
    box.press("Enter")
    expect(turns).to_have_count(before + 1)
    return turns.nth(before)


def test_a_chat_streams_and_tells_target_cost_and_cache(visit: Visit, world: World) -> None:
    page = visit.open("playground")
    first = ask(page, "[[words:30]] a river of <b>news</b>")
    expect(first).to_contain_text("echo a river of <b>news</b>")
    expect(first).to_contain_text("openai/gpt-4o-mini")
    expect(first).to_contain_text("cache miss")
    expect(first.locator("data")).to_have_attribute("title", re.compile(r"\$0\.00001\d+ exactly"))
    id = first.get_by_role("link", name=REQUEST).inner_text()
    told = world.ask("GET", f"/admin/requests/{id}").json()
    assert (told["status"], told["user"], told["output"]) == (200, "operator", 30)

    first.get_by_role("link", name=REQUEST).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request")
    expect(page.locator("main")).to_contain_text(id)
    page.go_back()

    page = visit.open("playground")
    again = ask(page, "[[words:30]] a river of <b>news</b>")
    expect(again).to_contain_text("cache hit")
    expect(again.locator("data")).to_have_text("$0.00")


def test_a_stream_is_stopped_half_way(visit: Visit, world: World) -> None:
    page = visit.open("playground")
    turn = ask(page, "[[words:600]] [[fault:pace=20]] slowly")
    expect(turn.get_by_role("link", name=REQUEST)).to_be_visible()
    expect(turn).to_contain_text("echo")
    page.get_by_role("button", name="Stop").click()
    expect(turn).to_contain_text("Stopped")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    id = turn.get_by_role("link", name=REQUEST).inner_text()
    page.goto(f"/dashboard/requests/{id}")
    ledger = page.get_by_role("region", name="Rows of the ledger")
    for _ in range(40):  # it is settled once the gateway saw that nobody listens
        if ledger.get_by_role("row").filter(has_text="final").count():
            break
        page.reload()
        expect(page.get_by_role("heading", name="Ledger")).to_be_visible()
    expect(ledger.get_by_role("row").filter(has_text="final")).to_be_visible()
    steps = world.ask("GET", f"/admin/requests/{id}").json()["ledger"]
    [final] = [step for step in steps if step["stage"] == "final"]
    assert int(final["costNanos"]) > 0, final


@pytest.mark.parametrize("fault", ["500", "close_mid"])
def test_a_failure_is_told_with_its_code(visit: Visit, fault: str) -> None:
    visit.watch.expect(502)
    page = visit.open("playground")
    turn = ask(page, f"[[fault:{fault}]] fail")
    expect(turn.get_by_role("alert")).to_contain_text("upstream_")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_target_is_chosen(visit: Visit) -> None:
    page = visit.open("playground")
    page.get_by_label("Route or model").select_option("openai/gpt-4o")
    turn = ask(page, "Hello of the chosen")
    expect(turn.locator("code").filter(has_text="openai/gpt-4o").first).to_be_visible()
    visit.shot("playground-answer")
