"""The dated price table.

Prices are written in thousandths of a dollar per million tokens, as providers publish them;
Workers AI's in neurons. A model whose price rises with the length of the prompt has that length as
its `context`, so that the one price holds for every prompt that fits. `since` is the day a price
took effect, or the first on which it was seen in force. The gpt-oss models of Workers AI are left
out: they take the Responses form only.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.prices.arithmetic import NEURON_NANOS, Price

CHECKED = "2026-11-05"
"""The newest day on which the providers' price pages were compared with this table."""

MOST_IMAGE_TOKENS = 50_000
"""Of a model whose maximum is not known: above what any known one makes of an image of the size it takes."""

MILL_NANOS = 1_000_000
"""A thousandth of a dollar."""


class Model(Struct, frozen=True):
    """What a target is made of: `context` and `max_output` in tokens, `until` its last day.

    `image_tokens` is the most that one image is billed as, with room for what providers do not publish.
    """

    kind: str
    name: str
    prices: tuple[Price, ...]
    context: int
    verb: Literal["chat", "embed"] = "chat"
    max_output: int = 0
    aliases: tuple[str, ...] = ()
    images: bool = True
    tools: bool = True
    dimension: int = 0
    until: str = ""
    image_tokens: int = MOST_IMAGE_TOKENS


# An image is scaled down to a number of tiles or patches, each of so many tokens. gpt-4o-mini's tiles are many times
# dearer, and the newest models of OpenAI scale next to nothing down: they have the default.
IMAGE_TILES = 2_000
IMAGE_PATCHES = 4_000
IMAGE_CLAUDE = 2_000
IMAGE_CLAUDE_5 = 6_000


def _at(since: str, input: int, cached: int, output: int, write: int | None = None) -> Price:
    """Thousandths of a dollar; a write to the cache costs as any input where not said."""
    write = input if write is None else write
    return Price(
        input * MILL_NANOS,
        cached * MILL_NANOS,
        write * MILL_NANOS,
        output * MILL_NANOS,
        since=since,
    )


def _gpt(
    name: str,
    context: int,
    max_output: int,
    *prices: Price,
    aliases: tuple[str, ...] = (),
    images: bool = True,
    until: str = "",
    image: int = MOST_IMAGE_TOKENS,
) -> Model:
    return Model(
        "openai",
        name,
        prices,
        context,
        max_output=max_output,
        aliases=aliases,
        images=images,
        until=until,
        image_tokens=image,
    )


def _embedder(name: str, since: str, mills: int, dimension: int) -> Model:
    price = _at(since, mills, mills, 0)
    return Model(
        "openai", name, (price,), 8_191, "embed", images=False, tools=False, dimension=dimension
    )


def _claude(
    name: str,
    context: int,
    max_output: int,
    *prices: Price,
    aliases: tuple[str, ...] = (),
    until: str = "",
    image: int = IMAGE_CLAUDE,
) -> Model:
    return Model(
        "anthropic",
        name,
        prices,
        context,
        max_output=max_output,
        aliases=aliases,
        until=until,
        image_tokens=image,
    )


def _neurons(since: str, neurons_in: int, neurons_out: int) -> Price:
    per_in, per_out = neurons_in * NEURON_NANOS, neurons_out * NEURON_NANOS
    return Price(per_in, per_in, per_in, per_out, neurons_in, neurons_out, since)


def _cf(name: str, context: int, neurons_in: int, neurons_out: int) -> Model:
    price = _neurons(SEEN_CF, neurons_in, neurons_out)
    return Model("workers_ai", name, (price,), context, max_output=4_096, images=False)


def _cf_embedder(name: str, context: int, neurons: int, dimension: int) -> Model:
    price = _neurons(SEEN_CF, neurons, 0)
    return Model(
        "workers_ai",
        name,
        (price,),
        context,
        "embed",
        images=False,
        tools=False,
        dimension=dimension,
    )


SEEN_CF = "2026-05-30"
"""The day Workers AI's older models were retired; in force since then at the latest."""

OPENAI = (
    _gpt("gpt-6-luna", 272_000, 128_000, _at("2026-09-22", 100, 10, 500, 125)),
    _gpt("gpt-5-nano", 272_000, 128_000, _at("2025-08-07", 50, 5, 400),
         aliases=("gpt-5-nano-2025-08-07",), until="2026-12-11", image=IMAGE_PATCHES),
    _gpt("gpt-4.1-nano", 1_047_576, 32_768, _at("2025-04-14", 100, 25, 400),
         aliases=("gpt-4.1-nano-2025-04-14",), until="2026-10-23", image=IMAGE_PATCHES),
    _gpt("gpt-4o-mini", 128_000, 16_384,
         _at("2024-07-18", 150, 150, 600), _at("2024-10-01", 150, 75, 600),
         aliases=("gpt-4o-mini-2024-07-18",), until="2027-01-14"),
    _gpt("gpt-5.6-luna", 272_000, 128_000, _at("2026-07-30", 200, 20, 1_200, 250)),
    _gpt("gpt-5.4-nano", 272_000, 128_000, _at("2026-05-04", 200, 20, 1_250)),
    _gpt("gpt-4.1-mini", 1_047_576, 32_768, _at("2025-04-14", 400, 100, 1_600),
         aliases=("gpt-4.1-mini-2025-04-14",), until="2027-01-14", image=IMAGE_PATCHES),
    _gpt("gpt-5-mini", 272_000, 128_000, _at("2025-08-07", 250, 25, 2_000),
         aliases=("gpt-5-mini-2025-08-07",), until="2026-12-11", image=IMAGE_PATCHES),
    _gpt("o3-mini", 200_000, 100_000, _at("2025-01-31", 1_100, 550, 4_400),
         aliases=("o3-mini-2025-01-31",), images=False, until="2026-10-23"),
    _gpt("o4-mini", 200_000, 100_000, _at("2025-04-16", 1_100, 275, 4_400),
         aliases=("o4-mini-2025-04-16",), until="2026-10-23", image=IMAGE_PATCHES),
    _gpt("gpt-5.4-mini", 272_000, 128_000, _at("2026-05-04", 750, 75, 4_500)),
    _gpt("gpt-4.1", 1_047_576, 32_768, _at("2025-04-14", 2_000, 500, 8_000),
         aliases=("gpt-4.1-2025-04-14",), until="2027-01-14", image=IMAGE_TILES),
    _gpt("o3", 200_000, 100_000,
         _at("2025-04-16", 10_000, 2_500, 40_000), _at("2025-06-10", 2_000, 500, 8_000),
         aliases=("o3-2025-04-16",), until="2026-12-11", image=IMAGE_TILES),
    _gpt("gpt-6-sol", 272_000, 128_000, _at("2026-09-22", 2_000, 200, 10_000, 2_500)),
    _gpt("gpt-4o", 128_000, 16_384,
         _at("2024-05-13", 5_000, 5_000, 15_000), _at("2024-10-02", 2_500, 1_250, 10_000),
         aliases=("gpt-4o-2024-11-20",), until="2027-01-14", image=IMAGE_TILES),
    _gpt("gpt-4o-2024-08-06", 128_000, 16_384,
         _at("2024-08-06", 2_500, 2_500, 10_000),
         _at("2024-10-01", 2_500, 1_250, 10_000), until="2027-01-14", image=IMAGE_TILES),
    _gpt("gpt-4o-2024-05-13", 128_000, 4_096,
         _at("2024-05-13", 5_000, 5_000, 15_000), until="2026-10-23", image=IMAGE_TILES),
    _gpt("gpt-5", 272_000, 128_000, _at("2025-08-07", 1_250, 125, 10_000),
         aliases=("gpt-5-2025-08-07",), until="2026-12-11", image=IMAGE_TILES),
    _gpt("gpt-5.1", 272_000, 128_000, _at("2025-11-13", 1_250, 125, 10_000),
         aliases=("gpt-5.1-2025-11-13",), until="2027-04-01", image=IMAGE_TILES),
    _gpt("gpt-5.6-terra", 272_000, 128_000, _at("2026-07-30", 2_000, 200, 12_000, 2_500)),
    _gpt("gpt-5.2", 272_000, 128_000,
         _at("2025-12-11", 1_750, 175, 14_000), aliases=("gpt-5.2-2025-12-11",),
         image=IMAGE_PATCHES),
    _gpt("gpt-5.4", 272_000, 128_000, _at("2026-05-04", 2_500, 250, 15_000)),
    _gpt("gpt-5.5", 272_000, 128_000, _at("2026-05-04", 5_000, 500, 30_000)),
    _gpt("gpt-6-astra", 272_000, 128_000, _at("2026-09-03", 10_000, 1_000, 50_000, 12_500)),
    _gpt("o1", 200_000, 100_000, _at("2024-12-17", 15_000, 7_500, 60_000),
         aliases=("o1-2024-12-17",), until="2026-10-23", image=IMAGE_TILES),
    _embedder("text-embedding-3-small", "2024-01-25", 20, 1_536),
    _embedder("text-embedding-ada-002", "2024-01-25", 100, 1_536),
    _embedder("text-embedding-3-large", "2024-01-25", 130, 3_072),
)  # fmt: skip

ANTHROPIC = (
    _claude("claude-haiku-5-5", 100_000, 128_000, _at("2026-10-07", 100, 10, 500, 125),
            image=IMAGE_CLAUDE_5),
    _claude("claude-3-5-haiku-20241022", 200_000, 8_192, _at("2024-12-03", 800, 80, 4_000, 1_000),
            aliases=("claude-3-5-haiku-latest",), until="2026-02-19"),
    _claude("claude-haiku-4-5-20251001", 200_000, 64_000,
            _at("2025-10-15", 1_000, 100, 5_000, 1_250),
            aliases=("claude-haiku-4-5",)),
    _claude("claude-sonnet-5-5", 1_000_000, 128_000, _at("2026-10-07", 2_000, 100, 10_000, 2_500),
            image=IMAGE_CLAUDE_5),
    _claude("claude-sonnet-5", 1_000_000, 128_000, _at("2026-06-30", 2_000, 200, 10_000, 2_500),
            image=IMAGE_CLAUDE_5),
    _claude("claude-sonnet-4-6", 200_000, 64_000, _at("2026-02-17", 3_000, 300, 15_000, 3_750)),
    _claude("claude-sonnet-4-5-20250929", 200_000, 64_000,
            _at("2025-09-29", 3_000, 300, 15_000, 3_750),
            aliases=("claude-sonnet-4-5",), until="2026-11-30"),
    _claude("claude-sonnet-4-20250514", 200_000, 64_000,
            _at("2025-05-22", 3_000, 300, 15_000, 3_750),
            aliases=("claude-sonnet-4-0",), until="2026-06-15"),
    _claude("claude-3-7-sonnet-20250219", 200_000, 64_000,
            _at("2025-02-24", 3_000, 300, 15_000, 3_750),
            aliases=("claude-3-7-sonnet-latest",), until="2026-02-19"),
    _claude("claude-opus-5-5", 1_000_000, 128_000, _at("2026-09-22", 4_000, 200, 20_000, 5_000),
            image=IMAGE_CLAUDE_5),
    _claude("claude-opus-5", 1_000_000, 128_000, _at("2026-07-24", 5_000, 500, 25_000, 6_250),
            image=IMAGE_CLAUDE_5),
    _claude("claude-opus-4-6", 200_000, 64_000, _at("2026-02-05", 5_000, 500, 25_000, 6_250)),
    _claude("claude-opus-4-5-20251101", 200_000, 64_000,
            _at("2025-11-24", 5_000, 500, 25_000, 6_250),
            aliases=("claude-opus-4-5",)),
    _claude("claude-opus-4-1-20250805", 200_000, 32_000,
            _at("2025-08-05", 15_000, 1_500, 75_000, 18_750),
            aliases=("claude-opus-4-1",), until="2026-08-05"),
    _claude("claude-opus-4-20250514", 200_000, 32_000,
            _at("2025-05-22", 15_000, 1_500, 75_000, 18_750),
            aliases=("claude-opus-4-0",), until="2026-06-15"),
)  # fmt: skip

WORKERS_AI = (
    _cf("@cf/ibm-granite/granite-4.0-h-micro", 131_000, 1_542, 10_158),
    _cf("@cf/qwen/qwen3-30b-a3b-fp8", 32_768, 4_625, 30_475),
    _cf("@cf/meta/llama-3.1-8b-instruct-fp8-fast", 32_000, 4_119, 34_868),
    _cf("@cf/zai-org/glm-4.7-flash", 131_072, 5_500, 36_400),
    _cf("@cf/meta/llama-3.3-70b-instruct-fp8-fast", 24_000, 26_668, 204_805),
    _cf_embedder("@cf/baai/bge-m3", 8_192, 1_075, 1_024),
    _cf_embedder("@cf/baai/bge-small-en-v1.5", 512, 1_841, 384),
    _cf_embedder("@cf/baai/bge-base-en-v1.5", 512, 6_058, 768),
    _cf_embedder("@cf/baai/bge-large-en-v1.5", 512, 18_582, 1_024),
)

MODELS = OPENAI + ANTHROPIC + WORKERS_AI
