"""axe-core in a page, evaluated by the debugger: the page's policy stays as it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

SOURCE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
RUN = """
async () => {
  const told = await axe.run(document, { resultTypes: ['violations'] });
  return told.violations.map(one => [one.impact, one.id, one.nodes.map(node =>
    `${node.target.join(' ')}: ${(node.failureSummary || '').split('\\n').slice(1).join(' ')}`)]);
}
"""


@cache
def _source() -> str:
    assert SOURCE.is_file(), "run `npm ci` in tests/browser"
    return SOURCE.read_text(encoding="utf-8")


def grave(page: Page) -> list[str]:
    """What axe finds in the page as it stands and calls serious or critical."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found = page.evaluate(RUN)
    return [
        f"{impact} {rule}: {where}"
        for impact, rule, places in found
        if impact in GRAVE
        for where in places
    ]
