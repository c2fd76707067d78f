"""The watch and axe are shown a sin each, and must see it; a page without one must pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.axe import grave
from tests.browser.neighbour import Neighbour
from tests.browser.watch import Watch, too_wide

POLICY = {"content-security-policy": "default-src 'none'; script-src 'self'; img-src 'self'"}
HEAD = (
    '<!doctype html><html lang="en"><title>A page</title>{head}<main><h1>A page</h1>{body}</main>'
)
FINE = HEAD.format(head="", body="<p>Words</p>")


@pytest.fixture
def elsewhere() -> Iterator[Neighbour]:
    with Neighbour({"/pixel": "x"}) as found:
        yield found


def seen(browser: Browser, page: str, *expected: int, **allowed: bool) -> list[str]:
    """What the watch finds in this page."""
    with Neighbour({"/": page, "/favicon.ico": ""}, POLICY) as served:
        context = browser.new_context(base_url=served.url)
        watch = Watch(context, served.url)
        watch.expect(*expected, **allowed)
        context.new_page().goto("/", wait_until="load")
        context.close()
        return watch.findings()


def test_a_good_page_has_no_findings(browser: Browser) -> None:
    assert seen(browser, FINE) == []


def test_an_inline_script_breaches_the_policy(browser: Browser) -> None:
    [found] = seen(browser, HEAD.format(head="<script>document.title = 'ran'</script>", body=""))
    assert "Content Security Policy" in found


def test_an_inline_style_breaches_the_policy(browser: Browser) -> None:
    [found] = seen(browser, HEAD.format(head="", body='<p style="color: red">Words</p>'))
    assert "Content Security Policy" in found


def test_a_request_to_another_origin_is_seen(browser: Browser, elsewhere: Neighbour) -> None:
    found = seen(browser, HEAD.format(head="", body=f'<img alt="" src="{elsewhere.url}/pixel">'))
    assert any(elsewhere.url in one for one in found)
    assert elsewhere.asked == []


def test_an_answer_that_failed_is_seen_unless_expected(browser: Browser) -> None:
    page = HEAD.format(head="", body='<img alt="" src="/missing">')
    [found] = seen(browser, page)
    assert found.startswith("404 ")
    assert seen(browser, page, 404) == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 640})
    yield context.new_page()
    context.close()


def test_axe_sees_a_sin_under_the_policy(page: Page) -> None:
    with Neighbour({"/": HEAD.format(head="", body="<input>"), "/good": FINE}, POLICY) as served:
        page.goto(served.url)
        assert any("label" in found for found in grave(page))
        page.goto(f"{served.url}/good")
        assert grave(page) == []


def test_a_page_that_is_too_wide_is_seen(page: Page) -> None:
    with Neighbour({"/": FINE, "/wide": FINE.replace("Words", "W" * 400)}) as served:
        page.goto(served.url)
        assert too_wide(page) == []
        page.goto(f"{served.url}/wide")
        assert too_wide(page) != []
