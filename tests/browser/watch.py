"""What a page must never do, seen from outside it: errors, breaches of its policy, requests that leave its origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

HELD = ("data:", "blob:")
LEFT = "net::ERR_ABORTED"
"""How a request ends that its page has dropped, as on leaving."""
TOLD_BY_RESPONSE = "Failed to load resource"
LOUD = ("error", "warning")


class Watch:
    """Listens to all pages of a context; `findings` are faults, save for the statuses that a test expects."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.seen: list[str] = []
        self._faults: list[str] = []
        self._answers: list[tuple[int, str]] = []
        self._failed: list[str] = []
        self._expected: set[int] = set()
        self._may_fail = False
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._request_failed)
        context.on("response", self._response)

    def expect(self, *statuses: int, failed: bool = False) -> None:
        """These statuses are what the test is about; `failed`: and so are requests without an answer."""
        self._expected.update(statuses)
        self._may_fail |= failed

    def findings(self) -> list[str]:
        """What went wrong so far."""
        bad = [f"{status} {url}" for status, url in self._answers if status not in self._expected]
        return self._faults + bad + ([] if self._may_fail else self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in LOUD and not message.text.startswith(TOLD_BY_RESPONSE):
            self._faults.append(f"console {message.type}: {message.text}")

    def _error(self, error: WebError) -> None:
        self._faults.append(f"error: {error.error}")

    def _request(self, request: Request) -> None:
        self.seen.append(f"{request.method} {request.url}")
        if not request.url.startswith(HELD) and origin(request.url) != self.origin:
            self._faults.append(f"left its origin: {request.method} {request.url}")

    def _request_failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self._failed.append(f"{request.failure} {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._answers.append((response.status, response.url))


def origin(url: str) -> str:
    """`http://127.0.0.1:8787` of an address there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


WIDER = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return [];
  const scrolls = (one) => one && one !== page && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
  const wide = [...document.querySelectorAll('body *')].filter((one) =>
    one.getBoundingClientRect().right > page.clientWidth + 1 && !scrolls(one.parentElement));
  return [`${page.scrollWidth} pixels`, ...wide.map((one) => `<${one.localName} class="${one.className}">`)];
}"""


def too_wide(page: Page) -> list[str]:
    """What makes the page wider than its window, if anything does."""
    found: list[str] = page.evaluate(WIDER)
    return found
