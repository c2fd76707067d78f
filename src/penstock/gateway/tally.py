"""Metrics of several processes as one: Prometheus' text form, added up line by line."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.gateway.measures import COUNTER, HISTOGRAM, number

COMMENT = "# "


def added(texts: Sequence[str]) -> str:
    """One text with the sum of each sample; families and their samples in the order in which they first came."""
    families: dict[str, dict[str, float]] = {}
    for text in texts:
        samples: dict[str, float] = {}
        head: list[str] = []
        for line in text.splitlines():
            if line.startswith(COMMENT):
                head.append(line)
                continue
            if head:
                samples = families.setdefault("\n".join(head), {})
                head = []
            name, _, value = line.rpartition(" ")
            more = float(value) if "." in value else int(value)
            samples[name] = samples.get(name, 0) + more
        if head:
            families.setdefault("\n".join(head), {})
    return "".join(
        f"{head}\n" + "".join(f"{name} {number(value)}\n" for name, value in samples.items())
        for head, samples in families.items()
    )


def counted(text: str) -> str:
    """What only grows, counters and histograms: what a process leaves to the one that takes its place."""
    kept: list[str] = []
    counts, held = False, ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            held = line
            continue
        if line.startswith("# TYPE "):
            counts = line.endswith((f" {COUNTER}", f" {HISTOGRAM}"))
            line = f"{held}\n{line}"
        if counts:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)
