"""What routing and caches save in dollars: the Azure trace's arrivals with others' prompts, replayed against the price table.

`bench/routing.py --json` has these keys too; this prints them alone, beside what the first design claimed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import traffic
from bench.traffic import Arrival, Prompt
from penstock.config import Config, defaults
from penstock.config.routed import QUALITY
from penstock.entry.known import known_models
from penstock.entry.routers import opened
from penstock.errors import Error
from penstock.ledger import days
from penstock.limits.replay import Books, Choose, Replay, choices, sides
from penstock.limits.replay import learned as by_router
from penstock.prices import CHECKED, FREE_NEURONS_PER_DAY, lookup, neurons_micro
from penstock.routing.router import Router
from penstock.wire.chat import Usage
from penstock.wire.json import encode
from penstock.wire.logs import Line, Logged, logged

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
ENVIRONMENT = {
    "JWT_SECRET": "only so that no issuer is made of a file",
    "OPENAI_API_KEY": "sk-nobody",
    "CLOUDFLARE_ACCOUNT_ID": "nobody",
    "CLOUDFLARE_API_TOKEN": "nobody",
}
"""What makes the default `auto`: Workers AI for what is simple or middling, gpt-4o for what is complex."""
TTL = 3_600.0
SEED = 8
DAY_SECONDS = 86_400
NANOS = 1_000_000_000
PLAIN = ("strong", "weak", "heuristic")
SHARES = (40, 20)
"""Strong calls in a hundred, as a router's own labels had them: beside the quality that is asked for."""
LEARNED = ("learned", *(f"learned_share_{share}" for share in SHARES))
CLAIMS = {"saved": "60 to 80 %", "free": "70 %", "hits": "60 %"}

KEYS = (
    "cost_", "saved_", "free_", "strong_share_", "score_", "hit_", "prefix_", "repeat_", "requests",
)  # fmt: skip
"""How its figures' names begin."""

Record = dict[str, float]


def main() -> int:
    """0 done or nothing to do, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="the same: it takes half a minute")
    parser.add_argument("--data", type=Path, default=DATA, help="the directory of the traces")
    options = parser.parse_args()
    if lacking := traffic.lacking(options.data):
        sys.stderr.write(f"routing costs: skipped, there is no {options.data / lacking}\n")
        print("{}" if options.json else "skipped")
        return 0
    try:
        record = measured(options.data, opened("default"))
    except (Error, OSError, ValueError) as error:
        sys.stderr.write("routing costs: " + " ".join(str(error).split()) + "\n")
        return 1
    print(json.dumps(record) if options.json else told(record))
    return 0


def measured(data: Path, router: Router) -> Record:
    """All figures, the learned policy's by this router, which must not have seen the prompts' set of held-out questions."""
    config = configured()
    between = sides(config, "auto")
    learned = {"learned": by_router(config, between, router, QUALITY, None)}
    for share in SHARES:
        learned[f"learned_share_{share}"] = by_router(config, between, router, None, share / 100)
    arrivals, prompts = traffic.azure(data), (traffic.judged(data), traffic.banking(data))
    repeats = repeat_share(traffic.mooncake(data, "conversation"))
    record = {"repeat_share": repeats}
    for suffix, own in (("", False), ("_prompts_own_length", True)):
        requests = dealt(arrivals, prompts, repeats, own_length=own)
        record |= costs(config, requests, arrivals[-1].at, suffix, learned)
    record |= quality(config, prompts[0], learned)
    record |= room(arrivals)
    record |= hits(data)
    return {name: round(value, 6) for name, value in record.items()}


def configured() -> Config:
    return defaults(Config(), ENVIRONMENT, known_models(CHECKED))[0]


def dealt(
    arrivals: Sequence[Arrival],
    decks: Sequence[Sequence[Prompt]],
    repeats: float,
    *,
    own_length: bool,
) -> Iterator[Logged]:
    """Each arrival with a prompt from one of the decks in turn: a new request, or with that probability one from before.

    A deck that is used up is shuffled and dealt again, and what it deals is new: how often requests repeat is not the
    size of a set of prompts.
    """
    lots, before = random.Random(SEED), list[tuple[str, str]]()
    hands: list[list[Prompt]] = [[] for _ in decks]
    first = days.parse(CHECKED)
    assert first is not None
    for number, arrival in enumerate(arrivals):
        if before and lots.random() < repeats:
            key, text = before[lots.randrange(len(before))]
        else:
            hand = hands[number % len(decks)]
            if not hand:
                hand.extend(
                    lots.sample(decks[number % len(decks)], len(decks[number % len(decks)]))
                )
            key, text = str(number), hand.pop().text
            before.append((key, text))
        line = Line(
            time=first / 1000 + arrival.at, key=key, prompt=text, output_tokens=arrival.output,
            input_tokens=None if own_length else arrival.input,
        )  # fmt: skip
        yield logged(number + 1, encode(line))


def costs(
    config: Config,
    requests: Iterator[Logged],
    seconds: float,
    suffix: str,
    learned: Mapping[str, Choose],
) -> Record:
    """Dollars of the trace under each policy, what is saved of the strong one's, and the share that is free."""
    between = sides(config, "auto")
    chosen = choices(config, between, (*PLAIN, *learned), learned)
    replay = Replay(config, chosen, between.strong, TTL, days.parse(CHECKED) or 0)
    for one in requests:
        replay.add(one, one.line.output_tokens or 0)
    strong = replay.plain["strong"].nanos
    record: Record = {
        "requests": replay.lines,
        f"hit_share_replayed{suffix}": replay.hits / replay.lines,
    }
    for name in chosen:
        both = {"": replay.plain[name], "_cached": replay.cached[name]}
        label = {"strong": "all_strong", "weak": "all_weak"}.get(name, name)
        for cached, books in both.items():
            record[f"cost_{label}{cached}_usd{suffix}"] = books.nanos / NANOS
            record[f"saved_{label}{cached}{suffix}"] = 1 - books.nanos / strong
            record[f"free_share_{label}{cached}{suffix}"] = books.free / books.requests
        record[f"strong_share_{label}{suffix}"] = _strong(replay.plain[name], between.strong)
        record[f"free_share_day_{label}{suffix}"] = _of_a_day(replay.plain[name], seconds)
    record[f"free_share{suffix}"] = record[f"free_share_learned{suffix}"]
    return record


def _strong(books: Books, strong: str) -> float:
    of = books.targets.get(strong)
    return of.requests / books.requests if of else 0.0


def _of_a_day(books: Books, seconds: float) -> float:
    """The free share of a whole day at the trace's rate: the day's free units are the same ones."""
    used_up = books.neurons >= FREE_NEURONS_PER_DAY * 999_999
    rounds = DAY_SECONDS / seconds
    return books.free / (books.requests * (rounds if used_up else 1))


def quality(config: Config, prompts: Sequence[Prompt], learned: Mapping[str, Choose]) -> Record:
    """The mean judged score of each policy's answers on the held-out questions, the judged models in the targets' place."""
    between = sides(config, "auto")
    chosen = choices(config, between, (*PLAIN, *learned), learned)
    record = {}
    for name, choose in chosen.items():
        total, calls = 0.0, 0
        for prompt in prompts:
            one = logged(1, encode(Line(prompt=prompt.text)))
            dear = list(choose(one))[:1] == [between.strong]
            total += (prompt.strong if dear else prompt.weak) or 0.0
            calls += dear
        record[f"score_{name}"] = total / len(prompts)
        record[f"score_calls_{name}"] = calls / len(prompts)
    gap = record["score_strong"] - record["score_weak"]
    for name in ("heuristic", *learned):
        # Whoever sends as many calls to the strong side by lot gets so much.
        by_lot = record["score_weak"] + gap * record[f"score_calls_{name}"]
        record[f"score_by_lot_as_{name}"] = by_lot
    return record


def repeat_share(requests: Sequence[tuple[float, int, tuple[int, ...]]]) -> float:
    """The share of requests that are the same as one in the hour before, whoever asked."""
    seen: dict[tuple[int, tuple[int, ...]], float] = {}
    found = 0
    for at, size, blocks in requests:
        what = size, blocks
        found += what in seen and at - seen[what] < TTL
        if what not in seen or at - seen[what] >= TTL:
            seen[what] = at
    return found / len(requests)


def hits(data: Path) -> Record:
    """On every trace: what the exact caches would find, and for comparison how much of the prompts' beginnings repeats."""
    record: Record = {}
    for name in ("conversation", "synthetic"):
        requests = traffic.mooncake(data, name)
        record[f"hit_exact_mooncake_{name}"] = repeat_share(requests)
        record[f"prefix_blocks_seen_mooncake_{name}"] = _blocks(requests)
    for name, stream in traffic.texts(data):
        # The embeddings' cache keeps each text by itself, so that a stream of texts has the same hits in both.
        record[f"hit_exact_{name}"] = 1 - len(set(stream)) / len(stream)
        record[f"hit_normalised_{name}"] = 1 - len({_plain(text) for text in stream}) / len(stream)
    return record


def _blocks(requests: Sequence[tuple[float, int, tuple[int, ...]]]) -> float:
    seen: set[int] = set()
    found = total = 0
    for _, _, blocks in requests:
        found += sum(block in seen for block in blocks)
        total += len(blocks)
        seen.update(blocks)
    return found / total


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def room(arrivals: Sequence[Arrival]) -> Record:
    """How many calls of the trace's mean size a day's free neurons carry at the cheapest model of Workers AI, and of how many
    requests a day they would be 70 %."""
    price = lookup("workers_ai", "@cf/ibm-granite/granite-4.0-h-micro", CHECKED)
    assert price is not None
    asked = sum(one.input for one in arrivals) // len(arrivals)
    answered = sum(one.output for one in arrivals) // len(arrivals)
    units = neurons_micro(price, Usage(input=asked, output=answered))
    calls = FREE_NEURONS_PER_DAY * 1_000_000 // units
    return {"free_calls_a_day": calls, "requests_a_day_for_70_free": calls / 0.7}


def told(record: Record) -> str:
    """The figures for people, beside the first design's."""
    lines = ["| policy | USD | with the exact cache | saved | free | free at this rate all day | calls to the strong |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for label in ("all_strong", "all_weak", "heuristic", *LEARNED):
        lines += [_row(record, label, ""), _row(record, label, "_prompts_own_length")]
    for claim, text in CLAIMS.items():
        lines += ["", f"{claim}, the first design {text}: {_ours(record, claim)}"]
    shown = [name for name in record if name.startswith(("hit_", "prefix", "score"))]
    lines += [
        "",
        "| figure | |",
        "|---|---:|",
        *(f"| {name} | {record[name]:.3f} |" for name in shown),
    ]
    return "\n".join(lines)


def _ours(record: Record, claim: str) -> str:
    """A claim's figure here, and what traffic would reach it."""
    if claim == "saved":
        told = [
            f"{record[f'saved_{name}']:.0%} by the {name} policy, whose answers score {record[f'score_{name}']:.3f}"
            for name in ("heuristic", *LEARNED)
        ]
        strong, weak = record["score_strong"], record["score_weak"]
        return f"{', '.join(told)}; all-strong scores {strong:.3f} and all-weak {weak:.3f}."
    if claim == "free":
        return (
            f"{record['free_share']:.1%} of this hour with the whole day's neurons, {record['free_share_day_learned']:.2%} of a day"
            f" like it. They carry {record['free_calls_a_day']:.0f} calls of the trace's mean size a day: 70 % of"
            f" {record['requests_a_day_for_70_free']:.0f} requests."
        )
    most = max(value for name, value in record.items() if name.startswith("hit_exact_"))
    return (
        f"at most {most:.1%} on any trace, exact and embeddings alike; the Azure trace has no text, and no trace has GETs. Six in"
        " ten need each request 2.5 times within its ttl, from callers who share answers: canned questions, retries, polling."
    )


def _row(record: Record, label: str, suffix: str) -> str:
    kind = " (prompts' own lengths)" if suffix else ""
    share: Callable[[str], str] = lambda name: f"{record[name + suffix]:.1%}"  # noqa: E731 - a table's cell
    cells = [
        f"{record[f'cost_{label}_usd{suffix}']:.2f}", f"{record[f'cost_{label}_cached_usd{suffix}']:.2f}",
        share(f"saved_{label}"), share(f"free_share_{label}"), share(f"free_share_day_{label}"), share(f"strong_share_{label}"),
    ]  # fmt: skip
    return f"| {label}{kind} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
