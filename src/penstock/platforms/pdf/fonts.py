"""The letters of a PDF: a font of this machine's that has most scripts, else the one that every reader has."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

PLACES = (
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf", "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf"),
    ("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf", "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf"),
    ("/Library/Fonts/Arial Unicode.ttf", ""),
    ("C:/Windows/Fonts/arial.ttf", "C:/Windows/Fonts/arialbd.ttf"),
)  # fmt: skip
"""A regular and a bold file, where systems have them; `fonts-dejavu-core` on Debian."""

INSTEAD = {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{HORIZONTAL ELLIPSIS}": "..."}
"""What figures are written with, where a font lacks it; Helvetica has no minus."""


class Fonts(Struct, frozen=True):
    """The names of a regular and a bold one, and the characters that both have; None: those of Windows-1252."""

    plain: str
    bold: str
    has: frozenset[int] | None

    def told(self, text: str) -> str:
        """The text, each character that the font lacks as its number, `[U+4E2D]`, or as what stands for it everywhere."""
        return "".join(c if self._has(c) else self._instead(c) for c in text)

    def _instead(self, c: str) -> str:
        return INSTEAD.get(c) or f"[U+{ord(c):04X}]"

    def _has(self, c: str) -> bool:
        if self.has is not None:
            return ord(c) in self.has
        try:
            c.encode("cp1252")
        except UnicodeError:
            return False
        return True


def fonts(named: str) -> Fonts:
    """Those of the file that is named; else the first place that has one; else Helvetica."""
    places = ((named, ""),) if named else PLACES
    for plain, bold in places:
        found = opened(plain, bold)
        if found is not None:
            return found
    return Fonts("Helvetica", "Helvetica-Bold", None)


def opened(plain: str, bold: str) -> Fonts | None:
    """A font of these files; None where they are none."""
    try:
        first = _registered(plain)
        second = _registered(bold) if bold and Path(bold).is_file() else first
    except (OSError, TTFError, ValueError, KeyError, IndexError):
        return None
    has = frozenset(first.face.charToGlyph) & frozenset(second.face.charToGlyph)
    return Fonts(first.fontName, second.fontName, has)


def _registered(path: str) -> TTFont:
    name = f"penstock:{path}"
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(name, path))
    return pdfmetrics.getFont(name)
