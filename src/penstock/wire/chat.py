"""Chat in the gateway's own words: an ask, its usage, and the events of an answer.

The body is OpenAI's chat form; providers translate from and to it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from penstock.errors import BadRequest, Failed
from penstock.wire.json import canonical, decode_object

FORBIDDEN = frozenset({"provider", "api_base", "base_url", "api_key", "headers", "extra_headers"})
"""Fields that would steer the gateway's own upstream call: refused wherever they stand at the top."""

MAX_CHOICES = 8
MAX_NAME = 256
"""Characters of a model's name: names are remembered."""
MESSAGE_OVERHEAD = 16
TOOLS_OVERHEAD = 1024
PARTS = ("text", "image_url", "refusal")
"""Kinds of content of which the most tokens they can be is known; others are refused."""
UNBOUNDED = frozenset({"file", "input_audio", "input_file", "audio_url", "video_url"})
"""Kinds that people do send: a refusal names them. It never repeats a value that nobody knows."""
DELIVERY_FIELDS = frozenset({"stream", "stream_options"})

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Part(Struct):
    """One piece of a message's content; fields of other kinds than text pass through unread."""

    type: str
    text: str | UnsetType = UNSET
    image_url: dict[str, Any] | str | UnsetType = UNSET


class Message(Struct):
    """What is checked of a message; the rest passes through."""

    role: Role
    content: str | list[Part] | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    tool_calls: list[dict[str, Any]] | UnsetType | None = UNSET
    tool_call_id: str | UnsetType | None = UNSET
    function_call: dict[str, Any] | UnsetType | None = UNSET
    refusal: str | UnsetType | None = UNSET
    audio: UnsetType | None = UNSET
    """An earlier spoken answer, whose length only the provider knows: refused."""


class StreamOptions(Struct):
    include_usage: bool | None = None


Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class ChatBody(Struct):
    """What is checked of `/v1/chat/completions`; these are the fields every provider knows or refuses by name.

    The last four change what an answer costs: only values that leave it at the plain price are taken.
    """

    model: Name
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, float] | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: str | dict[str, Any] | None = None
    reasoning_effort: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: list[Literal["text"]] | None = None
    audio: None = None
    web_search_options: None = None


KNOWN = frozenset(ChatBody.__struct_fields__)

_decoder = msgspec.json.Decoder(ChatBody)


class Usage(Struct, frozen=True):
    """Tokens of one answer. The three inputs are disjoint; `reasoning` is a part of `output`.

    `estimated` is set where the provider reported none and the gateway had to bound it.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    told: int | None = None
    """What the target itself said it cost, in nano-dollars, where that is believed."""

    @property
    def total_input(self) -> int:
        return self.input + self.cached_input + self.cache_write

    @property
    def total(self) -> int:
        return self.total_input + self.output


class Ask(Struct):
    """One decoded chat request.

    `body` is the request as OpenAI's chat form (never changed in place), `canonical` its sorted JSON without the
    fields that only say how to deliver it, `text` the last message's text, `input_bound` the most input tokens
    it can be, `unknown` the top-level fields the gateway does not know.
    """

    model: str
    body: dict[str, Any]
    canonical: bytes
    stream: bool = False
    include_usage: bool = False
    max_output: int | None = None
    n: int = 1
    text: str = ""
    turns: int = 1
    images: int = 0
    tools: bool = False
    unknown: tuple[str, ...] = ()
    input_bound: int = 0
    force_provider: str | None = None


class Event(Struct):
    """A step of an answer on its way.

    `data` is what passes to an OpenAI client as it is: in a stream whole `data: …\n\n` blocks of chunks, else the
    whole `chat.completion`. `usage_data` is the provider's usage-only chunk, passed to who asked for it. `usage` and
    `finish` are set on the event that carries them, `tools` where a tool call was seen, `failure` where the
    provider reported an error within its answer, `end` on the last.
    """

    data: bytes = b""
    usage_data: bytes = b""
    usage: Usage | None = None
    finish: str = ""
    tools: bool = False
    failure: Failed | None = None
    end: bool = False


def decode_chat(body: bytes) -> Ask:
    """An ask from the body of `/v1/chat/completions`; raises BadRequest naming the field."""
    value, form = decode_object(body)
    refuse_forbidden(value)
    try:
        read = _decoder.decode(form)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise invalid_field(error) from error
    if read.stream_options is not None and not read.stream:
        raise _invalid("stream_options", "goes with stream: true only")
    return _ask(value, read, form)


def _ask(value: dict[str, Any], read: ChatBody, form: bytes) -> Ask:
    images, image_bytes = _check_messages(read.messages)
    tools = bool(read.tools or read.functions)
    return Ask(
        model=read.model,
        body=value,
        canonical=_without_delivery(value, form),
        stream=bool(read.stream),
        include_usage=bool(read.stream_options and read.stream_options.include_usage),
        # Where both are given the bound is the larger: which of them holds is the target's choice.
        max_output=max(read.max_completion_tokens or 0, read.max_tokens or 0) or None,
        n=read.n or 1,
        text=text_of(read.messages[-1]),
        turns=len(read.messages),
        images=images,
        tools=tools,
        unknown=() if value.keys() <= KNOWN else tuple(k for k in value if k not in KNOWN),
        input_bound=len(form)
        - image_bytes
        + MESSAGE_OVERHEAD * len(read.messages)
        + TOOLS_OVERHEAD * tools,
    )


def _without_delivery(value: dict[str, Any], form: bytes) -> bytes:
    if DELIVERY_FIELDS.isdisjoint(value):
        return form
    return canonical({k: v for k, v in value.items() if k not in DELIVERY_FIELDS})


def refuse_forbidden(value: dict[str, Any]) -> None:
    """Raises BadRequest where a field would steer the gateway's own upstream call."""
    if not FORBIDDEN.isdisjoint(value):
        field = min(FORBIDDEN & value.keys())
        raise BadRequest(
            f"'{field}' cannot be set by a caller: targets, keys and headers are the gateway's own.",
            code="forbidden_field",
            param=field,
        )


def invalid_field(error: Exception) -> BadRequest:
    """A BadRequest from a validation error: where it is and which type was due, never the value."""
    words = str(error)
    where = words.rsplit(" - at `$", 1)[-1].rstrip("`").lstrip(".") if " - at `$" in words else ""
    what = words.split(" - at ", 1)[0]
    if what.startswith("Invalid enum value"):
        what = "Invalid value"
    return BadRequest(
        f"{what}{f' in {where}' if where else ''}.", code="invalid_field", param=where or None
    )


def text_of(message: Message) -> str:
    """A message's text, its parts joined by line ends."""
    content = message.content
    if isinstance(content, str):
        return content
    if not content:
        return ""
    return "\n".join(part.text for part in content if isinstance(part.text, str))


def _check_messages(messages: list[Message]) -> tuple[int, int]:
    """Refuses messages without content; counts images and the bytes of those that are sent along."""
    images = image_bytes = 0
    for i, message in enumerate(messages):
        content = message.content
        if isinstance(content, str):
            continue
        if content is None or content is UNSET:
            if message.role == "assistant" and (
                message.tool_calls or message.function_call or message.refusal
            ):
                continue
            raise _invalid(f"messages[{i}].content", "is missing")
        for part in _checked_parts(i, content):
            images += 1
            image_bytes += _carried(part)
    return images, image_bytes


def _checked_parts(i: int, parts: list[Part] | Any) -> list[Part]:
    """The image parts of a message whose parts are all as they should be."""
    if not parts:
        raise _invalid(f"messages[{i}].content", "must not be empty")
    images = []
    for part in parts:
        if part.type not in PARTS:
            raise _invalid(f"messages[{i}].content", _unbounded(part.type))
        if part.type == "text" and not isinstance(part.text, str):
            raise _invalid(f"messages[{i}].content", "has a text part without text")
        if part.type == "image_url":
            if not isinstance(part.image_url, (dict, str)):
                raise _invalid(f"messages[{i}].content", "has an image part without image_url")
            images.append(part)
    return images


def _unbounded(kind: str) -> str:
    name = f"of type '{kind}'" if kind in UNBOUNDED else "of an unknown type"
    return f"has a part {name}, of which nobody knows beforehand what it costs; send text or images"


def _carried(part: Part) -> int:
    url = part.image_url.get("url") if isinstance(part.image_url, dict) else part.image_url
    return len(url) if isinstance(url, str) and url.startswith("data:") else 0


def _invalid(field: str, why: str) -> BadRequest:
    return BadRequest(f"'{field}' {why}.", code="invalid_field", param=field)
