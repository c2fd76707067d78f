"""The local runner's turns: order, batches, fairness, overload, failure, leaving."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from penstock.errors import Failed, Unavailable
from penstock.platforms.local.runner import BATCH_TOKENS, LocalRunner


class Words:
    """An encoder whose tokens are words and whose vector is (words, first letter); it can be held."""

    name = "words"
    dimension = 2

    def __init__(self, fails: str = "") -> None:
        self.batches: list[list[list[int]]] = []
        self.threads: set[int] = set()
        self.fails = fails
        self.running = threading.Event()
        self.held = threading.Event()
        self.held.set()

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        self.threads.add(threading.get_ident())
        if self.fails == "tokenise":
            raise RuntimeError("the text itself")
        return [[ord(word[0]) for word in text.split()] for text in texts]

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        self.threads.add(threading.get_ident())
        self.running.set()
        assert self.held.wait(10)
        self.batches.append(list(batch))
        if self.fails == "forward":
            raise RuntimeError("the text itself")
        vectors = [[float(len(tokens)), float(tokens[0])] for tokens in batch]
        return vectors[1:] if self.fails == "count" else vectors


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
async def runner(words):
    runner = LocalRunner(words, max_waiting=100)
    yield runner
    words.held.set()
    await runner.aclose()


async def started(*works):
    """Tasks that stand in the runner's queue."""
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0)
    return tasks


async def test_order_and_tokens_are_the_callers(runner, words):
    texts = ["a", "b b b", "c c", "d " * 40, "e"]
    got = await runner.embed(texts)
    assert got.values == [[1, 97], [3, 98], [2, 99], [40, 100], [1, 101]]
    assert (got.tokens, got.model, got.dimension) == (47, "words", 2)
    assert len(words.threads) == 1
    assert threading.get_ident() not in words.threads


async def test_no_text_asks_nothing_of_the_model(runner, words):
    assert (await runner.embed([])).values == []
    assert words.batches == []


async def test_texts_of_like_length_run_together_within_bounds(runner, words):
    sizes = [1, 2, 30, 31, 60, 64, 100, 250, 300] * 5
    await runner.embed(["x " * size for size in sizes])
    assert sorted(len(tokens) for batch in words.batches for tokens in batch) == sorted(sizes)
    assert len(words.batches) < len(sizes)
    for batch in words.batches:
        long, short = max(map(len, batch)), min(map(len, batch))
        assert len(batch) == 1 or len(batch) * long <= BATCH_TOKENS
        assert long - short <= 4 or short >= 0.85 * long


async def test_callers_who_wait_are_run_together(runner, words):
    words.held.clear()
    first = await started(runner.embed(["first"]))
    await asyncio.to_thread(words.running.wait, 10)
    others = await started(*(runner.embed([f"{letter} x"]) for letter in "abcdef"))
    words.held.set()
    got = await asyncio.gather(*first, *others)
    assert [vectors.values[0][1] for vectors in got] == [ord(c) for c in "fabcdef"]
    assert len(words.batches) <= 2


async def test_one_text_does_not_wait_for_somebodys_hundred(runner, words):
    words.held.clear()
    many, one = await started(runner.embed(["x " * 300] * 50), runner.embed(["one two"]))
    words.held.set()
    await one
    assert not many.done()
    assert len(words.batches) <= 3
    assert len((await many).values) == 50


async def test_too_many_waiting_texts_are_refused_at_once(runner, words):
    words.held.clear()
    waiting = await started(runner.embed(["a"] * 100))
    with pytest.raises(Unavailable) as caught:
        await runner.embed(["b"])
    assert ("retry-after", "1") in caught.value.headers
    words.held.set()
    assert len((await waiting[0]).values) == 100
    assert len((await runner.embed(["b"])).values) == 1


async def test_one_list_past_the_bound_runs_where_nobody_waits(runner):
    assert len((await runner.embed(["a"] * 101)).values) == 101


async def test_texts_of_a_caller_who_left_are_not_run(runner, words):
    words.held.clear()
    (gone,) = await started(runner.embed(["x " * 300] * 50))
    await asyncio.to_thread(words.running.wait, 10)
    gone.cancel()
    (stays,) = await started(runner.embed(["stays"]))
    words.held.set()
    assert (await stays).values == [[1, ord("s")]]
    assert sum(map(len, words.batches)) <= 2


@pytest.mark.parametrize("fails", ["tokenise", "forward", "count"])
async def test_a_failure_is_told_and_does_not_stop_the_runner(runner, words, fails):
    words.fails = fails
    with pytest.raises(Failed) as caught:
        await runner.embed(["a", "b"])
    assert caught.value.processed == "no"
    assert "itself" not in caught.value.message
    words.fails = ""
    assert (await runner.embed(["a"])).values == [[1, 97]]


async def test_closing_ends_who_waits(words):
    runner = LocalRunner(words)
    words.held.clear()
    waiting = await started(runner.embed(["x " * 300] * 5), runner.embed(["a"]))
    closing = await started(runner.aclose())
    words.held.set()
    await closing[0]
    for task in waiting:
        with pytest.raises(Unavailable):
            await task
    with pytest.raises(Unavailable):
        await runner.embed(["late"])
