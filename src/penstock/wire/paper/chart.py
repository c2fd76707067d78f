"""Where the bars, lines and words of a chart stand: one layout, whatever draws it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.wire.paper import Chart, Unit

WIDTH, HEIGHT = 720.0, 220.0
"""In points; y grows downwards."""
LEFT, RIGHT, TOP, BOTTOM = 64.0, 8.0, 12.0, 26.0
LEGEND = 20.0
"""Above the bars, where there is more than one series."""
LINES = 4
GAP = 0.28
"""Of a bar's place, what is left free."""
MOST_WORDS = 11
"""Labels below the bars: of more, every second, third … has one."""
SWATCH = 9.0
LETTER = 6.2
"""About as wide as a letter of the legend is."""
NANOS = 10**9
Anchor = Literal["start", "middle", "end"]


class Bar(Struct, frozen=True):
    """A rectangle of a series, by its number."""

    x: float
    y: float
    width: float
    height: float
    series: int


class Rule(Struct, frozen=True):
    """A thin level line from left to right."""

    y: float


class Word(Struct, frozen=True):
    """A text at a point of its base line."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"


class Layout(Struct, frozen=True):
    """All that is drawn, in order."""

    rules: tuple[Rule, ...]
    bars: tuple[Bar, ...]
    words: tuple[Word, ...]


def layout(chart: Chart) -> Layout:
    """The same for the same chart, to a hundredth of a point."""
    top = TOP + (LEGEND if len(chart.series) > 1 else 0.0)
    sums = [sum(values) for values in zip(*(one.values for one in chart.series), strict=True)]
    step = _step(max(sums, default=0), chart.unit)
    most = step * LINES
    floor = HEIGHT - BOTTOM
    high = floor - top
    levels = [(at * step, floor - high * at / LINES) for at in range(LINES + 1)]
    rules = tuple(Rule(_near(y)) for _, y in levels)
    amounts = tuple(Word(LEFT - 6, _near(y + 3.5), _told(value, chart.unit), "end") for value, y in levels)  # fmt: skip
    return Layout(rules, _bars(chart, floor, high / most), amounts + _words(chart) + _legend(chart)[1])  # fmt: skip


def swatches(chart: Chart) -> tuple[Bar, ...]:
    """The legend's colours, where there is more than one series."""
    return _legend(chart)[0]


def _bars(chart: Chart, floor: float, scale: float) -> tuple[Bar, ...]:
    place = (WIDTH - LEFT - RIGHT) / max(1, len(chart.labels))
    found = []
    for at in range(len(chart.labels)):
        low = 0
        for number, one in enumerate(chart.series):
            value = one.values[at]
            if value > 0:
                x, y = LEFT + place * (at + GAP / 2), floor - (low + value) * scale
                found.append(Bar(_near(x), _near(y), _near(place * (1 - GAP)), _near(value * scale), number))  # fmt: skip
            low += value
    return tuple(found)


def _words(chart: Chart) -> tuple[Word, ...]:
    place = (WIDTH - LEFT - RIGHT) / max(1, len(chart.labels))
    every = -(-len(chart.labels) // MOST_WORDS)
    return tuple(
        Word(_near(LEFT + place * (at + 0.5)), HEIGHT - 8, text, "middle")
        for at, text in enumerate(chart.labels)
        if at % every == 0
    )


def _legend(chart: Chart) -> tuple[tuple[Bar, ...], tuple[Word, ...]]:
    if len(chart.series) < 2:
        return (), ()
    x, bars, words = LEFT, [], []
    for number, one in enumerate(chart.series):
        bars.append(Bar(_near(x), TOP - 8, SWATCH, SWATCH, number))
        words.append(Word(_near(x + SWATCH + 5), TOP, one.name))
        x += SWATCH + 22 + LETTER * len(one.name)
    return tuple(bars), tuple(words)


def _step(most: int, unit: Unit) -> int:
    """Between two lines: 1, 2 or 5 with zeros behind, so that the highest bar fits."""
    least = -(-most // LINES)
    size = 1
    while True:
        for digit in (1, 2, 5):
            if digit * size >= least and (unit == "usd" or digit * size >= 1):
                return digit * size
        size *= 10


def _told(value: int, unit: Unit) -> str:
    if unit == "number":
        return f"{value:,}"
    whole, rest = divmod(value, NANOS)
    decimals = f"{rest:09d}".rstrip("0")
    return f"${whole:,}" + (f".{decimals:0<2}" if decimals else "")


def _near(value: float) -> float:
    return round(value, 2) + 0.0
