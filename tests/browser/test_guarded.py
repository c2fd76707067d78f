"""What other pages try: to frame the dashboard, to ask with its cookie, to plant one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.neighbour import Neighbour

FRAME = '<!doctype html><title>Framed</title><iframe src="{url}/dashboard/"></iframe>'
FORM = """<!doctype html><title>Form</title>
<form method="post" action="{url}/admin/keys" enctype="text/plain">
<input name='{{"name": "planted", "x": "' value='"}}'><button>Go</button></form>"""
JSON = {"content-type": "application/json"}
ASK = """async ([url, method, headers]) => {
  try {
    const reply = await fetch(url, { method, headers, credentials: 'include', mode: headers ? 'cors' : 'no-cors',
      ...(method === 'POST' && { body: JSON.stringify({ name: 'planted' }) }) });
    return [reply.status, await reply.text()];
  } catch { return [0, '']; }
}"""


@pytest.fixture
def neighbour(visit: Visit) -> Iterator[tuple[Page, Neighbour]]:
    """A page of another origin in the browser of someone who is signed in; of the same site, as other ports are."""
    pages = {
        "/frame": FRAME.format(url=visit.world.url),
        "/form": FORM.format(url=visit.world.url),
        "/": "<p>Hi</p>",
    }
    browser = visit.context.browser
    assert browser is not None
    with Neighbour(pages) as served:
        context = browser.new_context(storage_state=visit.context.storage_state())
        yield context.new_page(), served
        context.close()


def names(visit: Visit) -> list[str]:
    """Of the keys that there are."""
    return [one["name"] for one in visit.world.ask("GET", "/admin/keys?limit=200").json()["keys"]]


def test_no_page_frames_it(neighbour: tuple[Page, Neighbour], visit: Visit) -> None:
    page, other = neighbour
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{other.url}/frame")
    frame = page.frames[1]
    expect(page.locator("iframe")).to_be_visible()
    assert "Penstock" not in frame.content()
    assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in said), said


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", None), ("POST", None), ("GET", JSON), ("POST", JSON), ("DELETE", JSON)],
)
def test_no_page_of_another_origin_asks_with_its_cookie(
    neighbour: tuple[Page, Neighbour], visit: Visit, method: str, headers: dict[str, str] | None
) -> None:
    page, other = neighbour
    key = visit.world.key("victim")
    path = f"/admin/keys/{key['id']}" if method == "DELETE" else "/admin/keys"
    page.goto(other.url)
    status, text = page.evaluate(ASK, [visit.world.url + path, method, headers])
    assert (status, text) == (0, "")
    assert "planted" not in names(visit)
    told = visit.world.ask("GET", "/admin/keys?limit=200").json()["keys"]
    assert next(one for one in told if one["id"] == key["id"])["revoked"] is None


def test_a_form_of_another_origin_is_refused(
    neighbour: tuple[Page, Neighbour], visit: Visit
) -> None:
    page, other = neighbour
    page.goto(f"{other.url}/form")
    with page.expect_response("**/admin/keys") as answered:
        page.get_by_role("button").click()
    assert answered.value.status in (401, 403)
    assert "planted" not in names(visit)


def test_its_own_page_must_show_the_token_too(visit: Visit) -> None:
    visit.watch.expect(403)
    page = visit.open("keys")
    asked = [f"{visit.world.url}/admin/keys", "POST", JSON]
    status, _ = page.evaluate(ASK, asked)
    assert status == 403
    assert "planted" not in names(visit)
