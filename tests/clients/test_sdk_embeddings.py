"""Embeddings through the official Python SDK, which asks for base64 unless told."""

from __future__ import annotations

import json
import math

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from load.fake_provider import FakeProvider

SMALL = "text-embedding-3-small"


def test_base64_is_what_the_sdk_asks_for_and_reads(client: OpenAI, fake: FakeProvider) -> None:
    raw = client.embeddings.with_raw_response.create(model="embed", input="hello world")
    done = raw.parse()
    assert isinstance(json.loads(raw.content)["data"][0]["embedding"], str)
    assert len(done.data) == 1
    assert len(done.data[0].embedding) == 1536
    assert math.isclose(math.hypot(*done.data[0].embedding), 1, abs_tol=1e-3)
    assert (done.usage.prompt_tokens, done.usage.total_tokens) == (2, 2)
    assert done.model == SMALL
    assert raw.headers["x-penstock-target"] == f"openai/{SMALL}"


def test_both_forms_say_the_same(client: OpenAI, fake: FakeProvider) -> None:
    packed = client.embeddings.create(model=SMALL, input="the same")
    floats = client.embeddings.create(model=SMALL, input="the same", encoding_format="float")
    assert packed.data[0].embedding == floats.data[0].embedding
    # The form is how the reply is written: the second one is from the cache.
    assert fake.meter()["calls"] == 1


def test_a_list_keeps_its_order_and_asks_for_what_is_missing_only(
    client: OpenAI, fake: FakeProvider
) -> None:
    alone = client.embeddings.create(model=SMALL, input="b").data[0].embedding
    raw = client.embeddings.with_raw_response.create(model=SMALL, input=["a", "b", "c", "b"])
    done = raw.parse()
    assert [item.index for item in done.data] == [0, 1, 2, 3]
    assert done.data[1].embedding == done.data[3].embedding == alone
    assert done.data[0].embedding != alone
    assert json.loads(fake.requests(last=1)[0]["body"])["input"] == ["a", "c"]
    assert raw.headers["x-penstock-cache"] == "miss"


def test_dimensions_are_the_models_own_affair(client: OpenAI, fake: FakeProvider) -> None:
    short = client.embeddings.create(model=SMALL, input="hello", dimensions=64)
    assert len(short.data[0].embedding) == 64
    whole = client.embeddings.create(model=SMALL, input="hello")
    assert len(whole.data[0].embedding) == 1536
    assert fake.meter()["calls"] == 2


@pytest.mark.parametrize("given", [[], "", ["a", ""], [1, 2, 3], [[1, 2], [3]]])
def test_what_cannot_be_embedded(client: OpenAI, fake: FakeProvider, given: list[str]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=SMALL, input=given)
    assert caught.value.param is not None
    assert caught.value.param.startswith("input")
    assert fake.meter()["calls"] == 0


def test_a_chat_model_does_not_embed(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model="gpt-4o", input="hello")
    assert caught.value.code == "model_not_found"


async def test_the_asynchronous_client(async_client: AsyncOpenAI) -> None:
    done = await async_client.embeddings.create(model=SMALL, input=["x", "y"])
    assert [len(item.embedding) for item in done.data] == [1536, 1536]
