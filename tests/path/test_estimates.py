"""What a call may cost is bounded by the dearest way it can be billed, or the call is refused before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import Broken
from penstock.prices import amount_nanos, lookup
from penstock.wire.chat import Usage
from penstock.wire.http import Request, Response
from tests.path.world import SECRET, World, body, pieces, read, streamed

CLAUDE = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.anthropic]
kind = "anthropic"
api_key = "sk-any"
[routes.auto]
targets = ["anthropic/claude-haiku-4-5"]
"""
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}


def breaks(request: Request) -> Response:
    """A target that begins well and then is gone, before it says what it took."""
    return streamed([pieces("Hello")[0], Broken("gone")])


async def amounts(world: World) -> dict[str, int]:
    return dict(await world.ledger("stage, amount_nanos"))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unreported_answer_is_estimated_as_if_all_input_had_been_written_to_the_cache(
    stream: bool,
) -> None:
    def gone(request: Request) -> Response:
        raise Broken("gone")

    text = "long " * 2_000
    part = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    world = World(gone, more=CLAUDE, env={})
    said = await world.ask(
        "/v1/chat/completions",
        {"model": "auto", "max_tokens": 9, "stream": stream,
         "messages": [{"role": "user", "content": [part]}]},
    )  # fmt: skip
    await read(said)
    booked = await amounts(world)
    price = lookup("anthropic", "claude-haiku-4-5", "2027-01-15")
    assert price is not None
    # A token is at least one byte of its text.
    charged = amount_nanos(price, Usage(cache_write=len(text), output=9))
    assert charged <= booked["final"] <= booked["reserve"]


async def test_a_cut_answer_is_estimated_at_what_was_reserved() -> None:
    world = World(breaks)
    await read(await world.chat(model="cheap/gpt-4o-mini", stream=True, max_tokens=9))
    booked = await amounts(world)
    assert booked["final"] == booked["reserve"] > 0


@pytest.mark.parametrize(
    ("model", "tokens", "mills"),
    [("cheap/gpt-4o-mini", 2_833 + 8 * 5_667, 150), ("dear/gpt-4o", 85 + 8 * 170, 2_500)],
)
async def test_an_image_is_reserved_at_its_models_most(model: str, tokens: int, mills: int) -> None:
    world = World()
    await read(await world.chat([IMAGE, IMAGE], model=model, max_tokens=1))
    reserved = (await amounts(world))["reserve"]
    assert 2 * tokens * mills <= reserved < 2.3 * (tokens + 1_000) * mills


async def test_the_operator_may_say_what_an_image_takes_at_the_most() -> None:
    more = '[[targets]]\nprovider = "dear"\nmodel = "gpt-4o-mini"\nimage_tokens = 100\n'
    world = World(more=more)
    await read(await world.chat([IMAGE], model="dear/gpt-4o-mini", max_tokens=1))
    assert (await amounts(world))["reserve"] < 1_000 * 150


UNBOUNDED: list[dict[str, Any]] = [
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "video_url", "video_url": {"url": "https://example.test/a.mp4"}},
    {"type": "made_up"},
]


@pytest.mark.parametrize("part", UNBOUNDED, ids=lambda part: str(part["type"]))
async def test_parts_of_which_no_bound_is_known_are_refused(part: dict[str, Any]) -> None:
    content = [{"type": "text", "text": "What is this?"}, part]
    told = await refused({"messages": [{"role": "user", "content": content}]})
    assert (told["code"], told["param"]) == ("invalid_field", "messages[0].content")
    assert part["type"] == "made_up" or f"'{part['type']}'" in told["message"]
    assert "made_up" not in told["message"]


UNPRICED: list[dict[str, Any]] = [
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "scale"},
    {"service_tier": 1},
    {"modalities": ["text", "audio"]},
    {"audio": {"voice": "alloy", "format": "wav"}},
    {"web_search_options": {}},
]


@pytest.mark.parametrize("more", UNPRICED, ids=str)
async def test_what_has_a_price_of_its_own_is_refused_by_its_name(more: dict[str, Any]) -> None:
    told = await refused(more)
    (name,) = more
    assert told["code"] == "invalid_field"
    assert told["param"].startswith(name)


@pytest.mark.parametrize(
    "more",
    [{"service_tier": "auto"}, {"service_tier": "default"}, {"service_tier": None}, {"audio": None},
     {"modalities": ["text"]}],
    ids=str,
)  # fmt: skip
async def test_what_is_priced_as_plain_passes(more: dict[str, Any]) -> None:
    world = World()
    assert (await world.chat(**more)).status == 200
    assert world.platform.fetch.requests


@pytest.mark.parametrize("caps", [(9, 1_000), (1_000, 9), (1_000, None), (None, 1_000)])
async def test_of_two_caps_the_larger_is_the_bound(caps: tuple[int | None, int | None]) -> None:
    async def reserved(**caps: Any) -> int:
        world = World()
        await read(await world.chat(model="dear/gpt-4o", **caps))
        return (await amounts(world))["reserve"]

    both = await reserved(max_tokens=caps[0], max_completion_tokens=caps[1])
    assert 0 <= both - await reserved(max_tokens=1_000) < 200 * 2_500


async def refused(more: dict[str, Any]) -> Any:
    """The inside of a refusal before anything was sent or booked."""
    world = World()
    said = await world.ask(
        "/v1/chat/completions",
        {"model": "auto", "messages": [{"role": "user", "content": "hello"}], **more},
    )
    assert said.status == 400
    assert world.platform.fetch.requests == []
    assert await world.ledger() == []
    return (await body(said))["error"]
