"""Tables in the documentation that follow from the code; `python -m tests.tables` writes them anew.

A page marks one by `<!-- table: NAME -->` and `<!-- end -->`, and test_docs.py compares what stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests import edge_tables, suite
from tests.pages import ROOT

MARKED = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)

Cells = Sequence[Sequence[object]]
TABLES: Mapping[str, Mapping[str, Callable[[], Cells]]] = {
    "docs/explanation/what-the-edge-costs.md": {
        "plans": edge_tables.plans,
        "kinds": edge_tables.kinds,
        "ends": edge_tables.ends,
        "neurons": edge_tables.neurons,
        "volumes": edge_tables.volumes,
        "first-budget": edge_tables.first_budget,
    },
    "docs/reference/ports.md": {"suites": suite.homes_table},
}


def table(cells: Cells) -> str:
    """Markdown of a head and its rows; what follows the first column stands to the right if the head begins with a space."""
    head, *rows = cells
    rule = ["---:" if str(cell).startswith(" ") else "---" for cell in head]
    return "".join(_row(cells) for cells in (head, rule, *rows))


def marked(page: str) -> dict[str, str]:
    """The marked tables of a page as they stand."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return {found["name"]: found["text"] for found in MARKED.finditer(text)}


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).strip() for cell in cells)} |\n"


def _write() -> None:
    for page, made in TABLES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        for name, cells in made.items():
            old = marked(page)[name]
            text = text.replace(f"table: {name} -->\n{old}", f"table: {name} -->\n{table(cells())}")
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
