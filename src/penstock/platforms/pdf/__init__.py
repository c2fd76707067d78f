"""Papers as PDF by ReportLab: A4, vectors, in a thread of their own, one at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from penstock.ports import Print
from penstock.wire.paper import Paper

INSTALLED = ("reportlab",)


def printer(font: str = "") -> Print | None:
    """Who writes PDF, with the font file that is named or one of this machine's; None where the library is not installed."""
    if any(find_spec(name) is None for name in INSTALLED):
        return None
    return Printer(font)


def usable(font: str) -> bool:
    """Whether a file is a font that a PDF can hold; True where nobody can say."""
    if any(find_spec(name) is None for name in INSTALLED):
        return True
    from penstock.platforms.pdf.fonts import opened

    return opened(font, "") is not None


class Printer:
    """Its library is read at the first paper: few processes ever write one."""

    def __init__(self, font: str) -> None:
        self._font = font
        self._thread = ThreadPoolExecutor(1, "pdf")  # the library's fonts are the process's

    async def __call__(self, paper: Paper) -> bytes:
        from penstock.platforms.pdf.pages import pdf

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, pdf, paper, self._font)
