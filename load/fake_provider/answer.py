"""What the fake answers: deterministic words and vectors made from what was asked.

One token is one word (separated by white space); an image, file or sound is 85 tokens, a declared
tool 16, a called tool 8. `[[name:value]]` in the last user message changes the answer: see README.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
import zlib
from functools import lru_cache
from typing import Any

import msgspec

ATTACHMENT_TOKENS = 85
TOOL_TOKENS = 16
TOOL_CALL_TOKENS = 8
ECHOED_WORDS = 48
BIG_LINE_BYTES = 10_000_000
DIRECTIVE = re.compile(r"\[\[(\w+)(?:[:=]([^\]]*))?\]\]")
MULTI_BYTE_WORDS = ("é", "漢字", "🙂", "naïve", "Ωmega")


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one call: `input` excludes cached and cache-written, `output` has reasoning."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All input, as OpenAI counts it."""
        return self.input + self.cached_input + self.cache_write


class Variant(msgspec.Struct, frozen=True):
    """A fault that changes what is said, with its argument."""

    name: str = ""
    arg: str = ""

    def number(self, default: int) -> int:
        """The argument as a whole number."""
        return int(self.arg) if self.arg.isdigit() else default


class Ask(msgspec.Struct):
    """A chat request of any provider, reduced to what shapes the answer."""

    model: str
    prompt: str
    input_tokens: int
    digest: int
    stream: bool = False
    choices: int = 1
    max_tokens: int | None = None
    tool: dict[str, Any] | None = None
    include_usage: bool = False
    directives: dict[str, str] = {}


class Said(msgspec.Struct, frozen=True):
    """The answer before a provider's form is put on it; `cut` when max_tokens ended it."""

    words: tuple[str, ...]
    cut: bool
    usage: Usage
    tool: dict[str, Any] | None


def read_directives(prompt: str) -> dict[str, str]:
    """`[[words:5]] [[fault:drip=1]]` -> {"words": "5", "fault": "drip=1"}."""
    if "[[" not in prompt:
        return {}
    return {name: value or "" for name, value in DIRECTIVE.findall(prompt)}


def text_of(content: Any) -> tuple[str, int]:
    """The text of a message's content, and the tokens of what is not text in it."""
    if isinstance(content, str):
        return content, 0
    if not isinstance(content, list):
        return "", 0
    texts: list[str] = []
    attachments = 0
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict) and part.get("type") == "tool_result":
            texts.append(text_of(part.get("content"))[0])
        else:
            attachments += ATTACHMENT_TOKENS
    return "\n".join(texts), attachments


def digest_of(texts: list[str]) -> int:
    """A short mark of the whole conversation, so that two of them never get the same answer."""
    return zlib.crc32("\0".join(texts).encode("utf-8", "surrogatepass"))


def say(ask: Ask, variant: Variant, stream_chunks: int) -> Said:
    """The answer and its usage; every choice says the same, and each is counted."""
    tool = ask.tool if _calls_tool(ask, variant) else None
    words = () if tool or variant.name == "empty_choices" else _words(ask, variant, stream_chunks)
    cut = ask.max_tokens is not None and len(words) > ask.max_tokens
    if cut:
        words = words[: ask.max_tokens]
    output = (TOOL_CALL_TOKENS if tool else len(words)) * ask.choices
    return Said(words, cut, _usage(ask, output), tool)


def fill(schema: Any) -> Any:
    """A value that fits a JSON schema's required properties, for a tool call's arguments."""
    if not isinstance(schema, dict):
        return {}
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties") or {}
        required = schema.get("required")
        return {name: fill(properties.get(name)) for name in required or properties}
    plain: dict[str, Any] = {"string": "text", "boolean": True, "array": [], "null": None}
    return plain.get(kind, 1)


def _calls_tool(ask: Ask, variant: Variant) -> bool:
    return ask.tool is not None and (variant.name == "tool_call" or "tool" in ask.directives)


def _words(ask: Ask, variant: Variant, stream_chunks: int) -> tuple[str, ...]:
    if variant.name == "big_line":
        return ("x" * variant.number(BIG_LINE_BYTES),)
    if variant.name == "split_utf8":
        return MULTI_BYTE_WORDS
    spoken = DIRECTIVE.sub("", ask.prompt) if ask.directives else ask.prompt
    said = ("echo", *spoken.split()[:ECHOED_WORDS], f"#{ask.digest:08x}")
    wanted = ask.directives.get("words", "")
    count = int(wanted) if wanted.isdigit() else (stream_chunks if ask.stream else 0)
    if count:
        said = tuple(said[i % len(said)] for i in range(count))
    return said


def _usage(ask: Ask, output: int) -> Usage:
    if not ask.directives:
        return Usage(ask.input_tokens, output=output)
    cached, written, reasoning = (
        int(value) if (value := ask.directives.get(name, "")).isdigit() else 0
        for name in ("cached", "cache_write", "reasoning")
    )
    fresh = max(0, ask.input_tokens - cached - written)
    return Usage(fresh, cached, written, output + reasoning, reasoning)


@lru_cache(maxsize=16)
def _tables(dimensions: int) -> tuple[list[bytes], list[bytes]]:
    """For each byte, eight signed components of a unit vector: as JSON, and as float32 bytes."""
    packed = struct.pack("<f", 1 / math.sqrt(dimensions))
    size = struct.unpack("<f", packed)[0]
    plain = (repr(size).encode(), repr(-size).encode())
    binary = (packed, struct.pack("<f", -size))
    bits = [[byte >> bit & 1 for bit in range(8)] for byte in range(256)]
    json_table = [b",".join([plain[b] for b in row]) for row in bits]
    return json_table, [b"".join([binary[b] for b in row]) for row in bits]


def vector(text: str, dimensions: int, encoding: str) -> bytes:
    """A unit vector of ± equal components, signs by the text's hash, as a JSON array or base64."""
    json_table, binary_table = _tables(dimensions)
    length = -(-dimensions // 8)
    signs = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(length)
    if encoding == "base64":
        raw = b"".join([binary_table[sign] for sign in signs])
        return b'"%s"' % base64.b64encode(raw[: dimensions * 4])
    joined = b",".join([json_table[sign] for sign in signs])
    if dimensions % 8:
        joined = b",".join(joined.split(b",")[:dimensions])
    return b"[%s]" % joined
