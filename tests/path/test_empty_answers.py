"""An answer that says nothing is no answer to keep."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.wire.http import JSON, Response
from tests.path.world import World, chunk, completion, pieces, read, streamed, whole

PRODUCT = "/api/ai/chat/completions"


@pytest.mark.parametrize("path", ["/v1/chat/completions", PRODUCT])
@pytest.mark.parametrize("text", [None, ""])
async def test_a_whole_one_is_not_kept(path: str, text: Any) -> None:
    world = World(lambda request: whole(text))
    await read(await world.chat(path=path))
    assert (await world.chat(path=path)).header("x-penstock-cache") == "miss"


@pytest.mark.parametrize("parts", [pieces(), pieces(""), [chunk({}, "stop"), *pieces()[-2:]]])
async def test_nor_a_streamed_one(parts: list[bytes]) -> None:
    world = World(lambda request: streamed(parts))
    await read(await world.chat(stream=True))
    assert (await world.chat(stream=True)).header("x-penstock-cache") == "miss"


async def test_one_choice_that_says_something_is_enough() -> None:
    said = completion("")
    said["choices"].append(completion("Hello")["choices"][0] | {"index": 1})
    world = World(lambda request: Response(200, [JSON], json.dumps(said).encode()))
    await read(await world.chat(n=2))
    assert (await world.chat(n=2)).header("x-penstock-cache") == "hit"
