"""`penstock replay`: what a log's requests would have cost under each policy, with the exact cache and without."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from penstock.config import Config
from penstock.config.routed import QUALITY
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured
from penstock.entry.cli.progress import Bar
from penstock.entry.cli.router import part
from penstock.entry.routers import opened
from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.limits.replay import MOST_KEPT, Books, Choose, Replay, Sides, choices, learned, sides
from penstock.prices import usd
from penstock.wire.logs import BYTES_A_TOKEN, MOST_BYTES, logged, read

LEARNED = "learned"
PLAIN = ("strong", "weak", "heuristic", LEARNED, "logged")
BAR_LINES = 1_000
"""So often the bar moves."""


class Lengths(Struct):
    """How long the answers of a log are, as far as it says."""

    lines: int = 0
    told: int = 0
    tokens: int = 0

    @property
    def mean(self) -> int:
        return round(self.tokens / self.told) if self.told else 0


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "log", metavar="LOG.jsonl", help="as `penstock usage --export-log` writes it"
    )
    parser.add_argument(
        "--policy", action="append", metavar="P",
        help="strong, weak, heuristic, learned, learned=FILE, logged or route:NAME; may be repeated (default: all but FILE)",
    )  # fmt: skip
    parser.add_argument("--route", default="auto", metavar="R", help="whose targets are chosen from (default: auto)")  # fmt: skip
    parser.add_argument(
        "--strong", default="", metavar="TARGET", help="the strong target in place of the route's"
    )
    parser.add_argument("--weak", default="", metavar="TARGET", help="the weak one")
    parser.add_argument(
        "--quality", type=part, default=QUALITY, metavar="PART",
        help=f"part of the strong target's quality that learned is to keep (default: {QUALITY})",
    )  # fmt: skip
    parser.add_argument(
        "--strong-share", type=part, metavar="PART",
        help="part of the requests that learned may send to the strong target, in place of --quality",
    )  # fmt: skip
    parser.add_argument("--output-tokens", type=_tokens, metavar="N", help="of answers whose length the log does not say (default: the mean of the others)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    config, path = configured(args).config, Path(args.log)
    try:
        between = sides(config, args.route, args.strong, args.weak)
        names = args.policy or [*PLAIN, *_routes(config)]
        more = _learned(config, between, names, args)
        chosen = choices(config, between, dict.fromkeys(names), more)
        lengths = _measured(path)
        output = _output(lengths, args.output_tokens)
        ttl = config.routes[args.route].cache.ttl if args.route in config.routes else 0.0
        replay = Replay(config, chosen, between.strong, ttl, round(time.time() * 1000))
        for number, line in _lines(path, "replaying"):
            one = logged(number, line)
            told = one.line.output_tokens
            replay.add(one, output if told is None else told)
    except BadRequest as error:
        raise Misused(f"{path.name}: {error.message}" if error.message.startswith("Line ") else error.message) from error  # fmt: skip
    if not args.policy:
        replay.drop_unplaced()
    assumed = assumptions(replay, lengths, output, ttl)
    if args.json:
        show.as_json(as_told(replay, assumed))
    else:
        _print(replay, assumed)
    return 0


def _learned(
    config: Config, between: Sides, names: Sequence[str], args: argparse.Namespace
) -> dict[str, Choose]:
    """The policies that a router's file stands behind: the one that comes with Penstock where none is named."""
    files = {name: name.partition("=")[2] for name in names if name.partition("=")[0] == LEARNED}
    quality = None if args.strong_share is not None else args.quality
    return {
        name: learned(config, between, opened(file or "default"), quality, args.strong_share)
        for name, file in {LEARNED: "", **files}.items()
    }


def as_told(replay: Replay, assumed: Sequence[str]) -> dict[str, Any]:
    """The whole outcome for programs."""
    span = {"from": replay.first, "to": replay.last}
    return {
        "lines": replay.lines,
        **{name: None if at is None else days.iso(at) for name, at in span.items()},
        "hits": replay.hits,
        "hit_share": _share(replay.hits, replay.lines),
        "policies": {
            name: {"cache_off": _books(replay.plain[name]), "cache_on": _books(replay.cached[name])}
            for name in replay.plain
        },
        "assumptions": list(assumed),
    }


def assumptions(replay: Replay, lengths: Lengths, output: int, ttl: float) -> list[str]:
    """What the figures rest on, each in a sentence."""
    found = [
        "Tokens are the log's whatever the model, though models count and answer differently.",
        "A kept answer serves the same request of the same caller (of all where the line's route shares answers) for the"
        f" line's route's time, or {ttl:g} s; it was kept whole, nothing was purged, and at first nothing was there"
        f" (at most {MOST_KEPT} at a time).",
        "All input is billed as fresh where another target than the log's is asked: a provider's own prompt cache would make"
        " repeated beginnings cheaper.",
        "Prices are the table's and yours, those of each request's UTC day; free neurons are counted a UTC day and account,"
        " as though these requests alone took them: not embeddings, questions to documents and shadows.",
    ]
    missing = replay.lines - lengths.told
    if missing:
        found.append(f"{missing} lines do not say how long their answer is: {output} tokens each.")
    if replay.undated:
        found.append(
            f"{replay.undated} lines have no time: they count to the time of the line before, at first to now."
        )
    if replay.back:
        found.append(
            f"{replay.back} lines are older than the line before them: sort the log by time, or its hits are no more than about right."
        )
    if replay.textless:
        found.append(
            f"{replay.textless} lines have no text: policies go by what the log says of them, where they can."
        )
    guessed = {name: books.guessed for name, books in replay.plain.items() if books.guessed}
    found += [
        f"{name}: {count} requests could not be placed and count at the strong target."
        for name, count in guessed.items()
    ]
    if replay.own:
        found.append(f"{replay.own} requests were paid for by tenants' own keys: they cost you nothing by any policy.")  # fmt: skip
    long = {name: books.too_long for name, books in replay.plain.items() if books.too_long}
    found += [
        f"{name}: {count} requests are longer than the context of each of its targets."
        for name, count in long.items()
    ]
    if replay.estimated:
        found.append(
            f"{replay.estimated} lines do not say how long they are: a token for every {BYTES_A_TOKEN} bytes."
        )
    used = {target for books in replay.plain.values() for target in books.targets}
    found += [
        f"{name} had no price on days of the log: it counts at today's."
        for name in sorted(replay.later & used)
    ]
    found += [
        f"No price is known for {name}: it counts as free."
        for name in sorted(replay.unpriced & used)
    ]
    return found


def _print(replay: Replay, assumed: Sequence[str]) -> None:
    dear = max((books.nanos for books in replay.plain.values()), default=0)
    rows = [
        [
            name,
            state,
            books.requests - books.hits,
            books.hits,
            books.free,
            usd(books.nanos),
            _percent(dear - books.nanos, dear),
        ]
        for name in replay.plain
        for state, books in (("off", replay.plain[name]), ("on", replay.cached[name]))
    ]
    show.table(["POLICY", "CACHE", "CALLS", "HITS", "FREE", "USD", "LESS"], rows)
    print()
    show.table(["POLICY", "TARGET", "CALLS", "USD", "CALLS CACHED", "USD CACHED"], _targets(replay))
    print()
    for sentence in assumed:
        print(f"- {show.one_line(sentence)}")


def _targets(replay: Replay) -> Iterator[list[object]]:
    for name, books in replay.plain.items():
        for target, of in sorted(books.targets.items()):
            cached = replay.cached[name].targets.get(target)
            both = [0, "0"] if cached is None else [cached.requests, usd(cached.nanos)]
            yield [name, target, of.requests, usd(of.nanos), *both]


def _books(books: Books) -> dict[str, Any]:
    return {
        "requests": books.requests,
        "hits": books.hits,
        "free_requests": books.free,
        "free_share": _share(books.free, books.requests),
        "free_neurons": books.neurons / 1_000_000,
        "cost_usd": usd(books.nanos),
        "cost_nanos": books.nanos,
        "guessed": books.guessed,
        "models": {
            name: {"requests": of.requests, "cost_usd": usd(of.nanos), "cost_nanos": of.nanos}
            for name, of in sorted(books.targets.items())
        },
    }


def _measured(path: Path) -> Lengths:
    """One pass over the log, by its form alone; raises BadRequest."""
    if path.exists() and not path.is_file():
        raise BadRequest("The log is read twice: name a file, not a pipe.")
    lengths = Lengths()
    for number, line in _lines(path, "reading"):
        told = read(number, line).output_tokens
        lengths.lines += 1
        if told is not None:
            lengths.told += 1
            lengths.tokens += told
    if not lengths.lines:
        raise BadRequest("The log has no line; name one that has.")
    return lengths


def _output(lengths: Lengths, given: int | None) -> int:
    if given is None and not lengths.told:
        raise BadRequest("No line says how long its answer is; name a length by --output-tokens N.")
    return lengths.mean if given is None else given


def _lines(path: Path, label: str) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, by number; one is held at a time."""
    size = path.stat().st_size
    bar = Bar(label, size)
    done = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES + 2), b""), 1):
                done += len(line)
                if number % BAR_LINES == 0:
                    bar.at(done)
                if line.strip():
                    yield number, line.strip()
    finally:
        bar.end()


def _routes(config: Config) -> list[str]:
    return [f"route:{name}" for name, route in config.routes.items() if route.verb == "chat"]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _tokens(text: str) -> int:
    if not text.isdecimal() or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens; write 0 to 1000000")
    return int(text)


REPLAY = Command("Say what a log's requests would have cost under each policy.", add, run)
