"""Metrics of several processes as one: Prometheus' text form, added up line by line."""

from __future__ import annotations

from collections.abc import Sequence

COMMENT = "# "


def added(texts: Sequence[str]) -> str:
    """One text with the sum of each sample; families and their samples in the order in which they first came."""
    families: dict[str, dict[str, int]] = {}
    for text in texts:
        samples: dict[str, int] = {}
        head: list[str] = []
        for line in text.splitlines():
            if line.startswith(COMMENT):
                head.append(line)
                continue
            if head:
                samples = families.setdefault("\n".join(head), {})
                head = []
            name, _, value = line.rpartition(" ")
            samples[name] = samples.get(name, 0) + int(value)
        if head:
            families.setdefault("\n".join(head), {})
    return "".join(
        f"{head}\n" + "".join(f"{name} {value}\n" for name, value in samples.items())
        for head, samples in families.items()
    )


def counted(text: str) -> str:
    """The counters alone: what a process leaves to the one that takes its place."""
    kept: list[str] = []
    counts, held = False, ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            held = line
            continue
        if line.startswith("# TYPE "):
            counts = line.endswith(" counter")
            line = f"{held}\n{line}"
        if counts:
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)
