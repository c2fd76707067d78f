"""What callers ask while the gateway dies: a seeded, endless mix of everything that moves money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
STEADY, DRAINED, FLAKY = "steady/alpha", "drained/delta", "flaky/omega"
VECTORS = "steady/vector"
RICH, POOR = "rich", "poor"
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
KINDS = (
    "whole", "stream", "paced", "left", "embed", "failover", "failed_over", "failing", "keyed",
    "keyed_stream", "keyed_embed", "keyed_left", "keyed_failing", "poor", "kept",
)  # fmt: skip
"""What is asked in a round, twice each and shuffled."""


@dataclass(frozen=True)
class Ask:
    """One request; its mark is a word of its text, by which the provider's requests are told apart.

    After `leave_after` pieces of its stream the caller leaves; 0: it stays to the end.
    """

    mark: str
    path: str
    body: dict[str, Any] = field(hash=False)
    sub: str = RICH
    key: str = ""
    leave_after: int = 0


def asks(seed: str) -> Iterator[Ask]:
    """Rounds of all kinds, each shuffled."""
    random, numbers = Random(seed), count()
    while True:
        for kind in random.sample([*KINDS, *KINDS], 2 * len(KINDS)):
            yield MAKERS[kind](random, f"mark-{next(numbers):04}")


def probe(number: int) -> Ask:
    """A plain call, to see that a gateway serves."""
    return _chat(f"probe-{number}", STEADY, "are you there")


def _chat(mark: str, model: str, text: str, **more: Any) -> Ask:
    body = {"model": model, "messages": [{"role": "user", "content": f"{text} {mark}"}], **more}
    return Ask(mark, CHAT, body)


def _text(random: Random) -> str:
    text = " ".join(random.choices(WORDS, k=random.randint(1, 12)))
    if random.random() < 0.3:
        text += f" [[cached:{random.randint(1, 2)}]]"
    return text + f" [[reasoning:{random.randint(1, 9)}]]" if random.random() < 0.3 else text


def _whole(random: Random, mark: str) -> Ask:
    more = {"max_tokens": random.randint(1, 30)} if random.random() < 0.5 else {}
    return _chat(mark, random.choice((STEADY, DRAINED)), _text(random), **more)


def _stream(random: Random, mark: str) -> Ask:
    return _chat(mark, random.choice((STEADY, DRAINED)), _text(random), stream=True)


def _paced(random: Random, mark: str) -> Ask:
    return _chat(
        mark, STEADY, f"[[fault:pace=400]] [[words:{random.randint(8, 24)}]] slowly", stream=True
    )


def _left(random: Random, mark: str) -> Ask:
    model = random.choice((STEADY, STEADY, DRAINED))
    text = f"[[fault:pace=400]] [[words:{random.randint(20, 40)}]] {_text(random)}"
    return replace(_chat(mark, model, text, stream=True), leave_after=random.randint(1, 9))


def _embed(random: Random, mark: str, model: str = VECTORS) -> Ask:
    texts = [f"{_text(random).split(' [[')[0]} {mark} {n}" for n in range(random.randint(1, 3))]
    return Ask(mark, EMBEDDINGS, {"model": model, "input": texts})


def _failover(random: Random, mark: str) -> Ask:
    return _chat(mark, "shaky", _text(random), stream=random.random() < 0.5)


def _failed_over(random: Random, mark: str) -> Ask:
    return _embed(random, mark, "shaky-vectors")


def _failing(random: Random, mark: str) -> Ask:
    return _chat(mark, FLAKY, _text(random))


def _keyed(make: Callable[[Random, str], Ask]) -> Callable[[Random, str], Ask]:
    def keyed(random: Random, mark: str) -> Ask:
        asked = make(random, mark)
        return replace(asked, key=f"key-{mark}")

    return keyed


def _poor(random: Random, mark: str) -> Ask:
    return replace(_chat(mark, STEADY, "alms", max_tokens=20), sub=POOR)


def _kept(random: Random, mark: str) -> Ask:
    """One of a few that are asked again and again: a hit of the cache, or of a flight."""
    return _chat(f"kept-{random.randint(1, 3)}", STEADY, "again", stream=random.random() < 0.5)


MAKERS: dict[str, Callable[[Random, str], Ask]] = {
    "whole": _whole,
    "stream": _stream,
    "paced": _paced,
    "left": _left,
    "embed": _embed,
    "failover": _failover,
    "failed_over": _failed_over,
    "failing": _failing,
    "keyed": _keyed(_whole),
    "keyed_stream": _keyed(_stream),
    "keyed_embed": _keyed(_embed),
    "keyed_left": _keyed(_left),
    "keyed_failing": _keyed(_failing),
    "poor": _poor,
    "kept": _kept,
}
