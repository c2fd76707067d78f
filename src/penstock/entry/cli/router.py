"""`penstock router`: learning from labels who is worth the strong target, and whether that may be believed."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import asdict

from penstock.entry import settings
from penstock.entry.cli import router_labels, show
from penstock.entry.cli.command import Command, Misused, configured
from penstock.entry.routers import opened
from penstock.errors import Error, Refused
from penstock.routing import router
from penstock.routing.certify import Certificate, certify
from penstock.routing.evaluate import Evaluation, by, evaluate, held_out
from penstock.routing.fit import fit
from penstock.routing.labels import MOST_LINE_BYTES, Labels, read
from penstock.routing.recovered import Figures, Interval

FOLDS = 5
MOST_FOLDS = 20
MOST_READ = MOST_LINE_BYTES + 2
"""Bytes of a line that are read at once: a longer one is refused."""
SEED = 1
"""Of the resamples: the same labels give the same figures."""
BASELINES = ("random", "length", "heuristic")
MEASURES = ("apgr", "cpt50", "cpt80")


class InvalidLabels(Error):
    """The labels cannot be used."""

    code = "invalid_labels"


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    making = actions.add_parser(
        "fit",
        help="learn a router from labels",
        description="Learn a router from labels and write its file, for `model` of a route with policy learned.",
    )
    making.add_argument("--out", metavar="FILE", type=Path, required=True, help="file to write")
    asking = actions.add_parser(
        "evaluate",
        help="how well a router tells who gains",
        description="APGR, CPT50 and CPT80 with 95 %% intervals, beside chance, length and the heuristic.",
    )
    showing = actions.add_parser(
        "certify",
        help="whether a router may be switched on; exit 1 on no",
        description="Whether the labels show that a router keeps this quality, saves, and beats chance; exit 1 on no.",
    )
    showing.add_argument(
        "--quality",
        metavar="PART",
        type=part,
        required=True,
        help="part of the strong target's quality that is to be kept, as 0.95",
    )
    for action in (making, asking, showing):
        action.add_argument(
            "labels",
            metavar="LABELS",
            type=Path,
            help='JSON lines of {"prompt" or "messages", "weak", "strong"}; more may be told: weak_cost, strong_cost, group',
        )
    for action in (asking, showing):
        action.add_argument(
            "--model",
            metavar="FILE",
            help="a router that there is, `default` the one that comes with Penstock (default: fitted by cross-validation)",
        )
        action.add_argument(
            "--folds",
            metavar="N",
            type=folds,
            default=FOLDS,
            help=f"parts of the cross-validation (default: {FOLDS})",
        )
    router_labels.add(actions)


def part(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is no part from 0 to 1; write 0.95")
    return value


def folds(text: str) -> int:
    """How many parts rows are cut into."""
    value = int(text) if text.isdecimal() and len(text) < 4 else 0
    if not 2 <= value <= MOST_FOLDS:
        raise ArgumentTypeError(f"{text!r} is no number from 2 to {MOST_FOLDS}")
    return value


def run(args: argparse.Namespace) -> int:
    kept = {"labels": router_labels.written, "forget": router_labels.forgotten}
    if args.action in kept:
        return kept[args.action](args)
    learning = {"fit": fitted, "evaluate": evaluated, "certify": certified}
    try:
        return learning[args.action](args)
    except Refused as error:
        raise InvalidLabels(f"{args.labels}: {error.message}", code=error.code) from error


def fitted(args: argparse.Namespace) -> int:
    """Writes the router that the labels make."""
    _refuse_named(args)
    labels = taken(args.labels)
    source = "".join(char for char in args.labels.name if char.isascii() and char not in '$"\\')
    made = fit(labels, source, settings.today(), draws(), told)
    args.out.write_bytes(router.encode(made))
    value, low, high = made.apgr
    if args.json:
        names = ("source", "created", "rows", "penalty", "base", "trust")
        known = {name: getattr(made, name) for name in names}
        interval = Interval(value, low, high)
        show.as_json({"out": str(args.out), "router": made.name, **known, "apgr": asdict(interval)})
    else:
        print(f"{show.one_line(str(args.out))}: router {made.name} of {made.rows} labels")
        print(f"APGR {value:.3f} ({low:.3f} to {high:.3f}) by cross-validation; chance is 0.5")
        print(made.trust)
    return 0


def _refuse_named(args: argparse.Namespace) -> None:
    """Neither the labels are written over, nor a file that a route goes by: the next start would take another router, and nobody
    said so."""
    if args.out.exists() and args.labels.exists() and args.out.samefile(args.labels):
        raise Misused(f"{args.out} is the file of labels: write the router to another one")
    try:
        routes = configured(args).config.routes
    except Error:
        return  # nothing decides by what cannot be read
    for name, route in routes.items():
        if (
            route.policy == "learned"
            and route.model
            and args.out.resolve() == Path(route.model).resolve()
        ):
            raise Misused(
                f"routes.{name}.model names {args.out}: write a new file, and name it there when it is to decide"
            )


def evaluated(args: argparse.Namespace) -> int:
    """Prints the figures of a router, or of what these labels would make."""
    labels = taken(args.labels)
    found = evaluate(labels.rows, scored(args, labels), draws())
    if args.json:
        show.as_json(_evaluation(found, labels))
        return 0
    ways = (("router", found.router), *((name, getattr(found, name)) for name in BASELINES))
    show.table(
        ("BY", "APGR", "95 %", "CPT50", "95 %", "CPT80", "95 %"),
        [_cells(name, figures) for name, figures in (*ways, ("oracle", found.oracle))],
    )
    print(
        f"{found.rows} rows in {found.groups} groups; random ± {found.random.sd:.3f};"
        f" {'scored by ' + args.model if args.model else f'{args.folds} parts, each scored by a fit without it'}"
    )
    return 0


def certified(args: argparse.Namespace) -> int:
    """Prints yes or no, and why; 1 on no."""
    labels = taken(args.labels)
    found = certify(labels.rows, scored(args, labels), args.quality)
    if args.json:
        show.as_json(asdict(found) | _intervals(found))
    else:
        _print(found)
    return 0 if found.certified else 1


def taken(path: Path) -> Labels:
    """The labels in a file; raises BadRequest, OSError."""
    with path.open("rb") as file:
        labels = read(iter(lambda: file.readline(MOST_READ), b""))
    if len(labels.rows) < labels.lines:
        told(f"{len(labels.rows):,} of {labels.lines:,} labels are used, an even sample")
    if labels.repeated:
        told(
            f"{labels.repeated:,} labels repeat a text; they stay in one part of the cross-validation"
        )
    return labels


def scored(args: argparse.Namespace, labels: Labels) -> list[float]:
    """By the router that was named, else by fits that did not see the row."""
    if args.model:
        found = opened(args.model)
        if found.data == labels.digest:
            told("warning: it was fitted on these very labels, and looks better here than it is")
        return by(found, labels.rows)
    return held_out(labels.rows, args.folds, told)


def draws() -> Callable[[int, int], list[int]]:
    """Whole numbers at random, the same each time."""
    chance = Random(SEED)
    return lambda below, count: [int(chance.random() * below) for _ in range(count)]


def told(what: str) -> None:
    """Progress, on standard error."""
    print(f"penstock: {what}", file=sys.stderr)


def _evaluation(found: Evaluation, labels: Labels) -> dict[str, Any]:
    baselines = {
        name: _figures(getattr(found, name)) | asdict(getattr(found, name).apgr)
        for name in (*BASELINES, "oracle")
    }
    baselines["random"]["sd"] = found.random.sd
    counts = {"rows": found.rows, "groups": found.groups, "lines": labels.lines}
    return {**_figures(found.router), **baselines, **counts, "repeated": labels.repeated}


def _figures(figures: Figures) -> dict[str, Any]:
    return {name: asdict(getattr(figures, name)) for name in MEASURES}


def _cells(name: str, figures: Figures) -> Sequence[object]:
    cells: list[object] = [name]
    for measure in MEASURES:
        found: Interval = getattr(figures, measure)
        cells += [f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}"]
    return cells


def _intervals(found: Certificate) -> dict[str, Any]:
    names = ("quality", "saving", "over_chance")
    return {name: asdict(getattr(found, name)) for name in names}


def _print(found: Certificate) -> None:
    quality, saving, over = found.quality, found.saving, found.over_chance
    of = "of the cost" if found.saving_of == "cost" else "of the strong calls"
    print(f"{'yes' if found.certified else 'no'}: {found.reason}")
    show.pairs(
        [
            ("quality", f"{quality.value:.3f} of the strong target's ({quality.low:.3f} to {quality.high:.3f})"),
            ("at least", f"{found.least:.3f} with 95 % certainty; asked for {found.target:g}"),
            ("strong calls", f"{found.strong_share:.0%}"),
            ("saving", f"{saving.value:.1%} {of} ({saving.low:.1%} to {saving.high:.1%})"),
            ("over chance", f"{over.value:.3f} ({over.low:.3f} to {over.high:.3f})"),
            ("rows", found.rows),
        ]
    )  # fmt: skip


ROUTER = Command(
    "Learn which requests are worth the strong target, and see whether it holds.", add, run
)
