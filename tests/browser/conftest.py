"""A browser and a gateway that is full of data; each test has a context of its own, watched for whatever no page may do."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import SECONDS, launched
from tests.browser.watch import Watch
from tests.browser.world import World, fill, served
from tests.clients.process import token
from tests.pages import ROOT

SHOTS = ROOT / "build" / "screenshots"
ADMIN = "admin chat embed rag"
Theme = Literal["light", "dark"]
FAILED = pytest.StashKey[bool]()


@dataclass
class Visit:
    """A browser that visits a gateway: its first page, and what keeps an eye on all of them."""

    world: World
    context: BrowserContext
    page: Page
    watch: Watch

    def sign_in(self, credential: str = "") -> None:
        """As the form does it, without the form."""
        body = {"credential": credential or token("operator", scope=ADMIN)}
        reply = self.context.request.post("/dashboard/session", data=body)
        assert reply.status == 200, reply.text()

    def open(self, path: str = "") -> Page:
        """A page of the dashboard, once its heading stands there."""
        self.page.goto(f"/dashboard/{path}")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def shot(self, name: str, whole: bool = True) -> None:
        """A screenshot for people, kept beside the build; of the whole page, or what is in sight."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name.replace(' ', '-')}.png", full_page=whole)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway with a day's data, that a session's tests share: who changes something makes it first."""
    with served(tmp_path_factory.mktemp("browser") / "gateway") as found:
        assert "/dashboard/assets/" in found.client.get("/dashboard").text, "run `make ui`"
        fill(found)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a module: between two modules no loop of Playwright's may be in the way of asynchronous tests."""
    expect.set_options(timeout=SECONDS * 1e3)
    with launched() as found:
        yield found


@pytest.fixture
def visiting(
    browser: Browser, world: World, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visit]]:
    """Makes visits, `theme` and `width` as asked; all of them must have been without findings."""
    made: list[Visit] = []

    def visit(
        theme: Theme = "light", width: int = 1280, height: int = 800, where: World = world
    ) -> Visit:
        context = browser.new_context(
            base_url=where.url,
            color_scheme=theme,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        context.set_default_timeout(SECONDS * 1e3)
        watch = Watch(context, where.url)
        made.append(Visit(where, context, context.new_page(), watch))
        return made[-1]

    yield visit
    if request.node.stash.get(FAILED, False):
        for at, one in enumerate(made):
            one.shot(
                "failed-" + re.sub(r"\W+", "-", request.node.name)[:80] + f"-{at}", whole=False
            )
    findings = [found for one in made for found in one.watch.findings()]
    for one in made:
        one.context.unroute_all(behavior="ignoreErrors")
        one.context.close()
    assert not findings, findings


@pytest.fixture
def visit(visiting: Callable[..., Visit]) -> Visit:
    """A visit of the operator's, signed in, in the light theme at a desk."""
    made = visiting()
    made.sign_in()
    return made


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """New directories for gateways of a test's own."""
    return lambda name: tmp_path_factory.mktemp(name)
