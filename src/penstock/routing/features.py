"""What a learned router sees of an ask: a few hundred numbered yes-or-no answers, the same on every platform.

Bytes, not characters, are read: what a letter is must not depend on an interpreter's Unicode tables. Each pattern is
matched in one pass, and no more than `READ` bytes of a message are looked at.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from penstock.wire.chat import Ask

VERSION = 1
"""Goes up with any change of what a slot means: a router's file says for which it was made."""
SIZE = 1 << 15
"""Slots: structure has the first `STRUCTURE`, words and pairs of them share the others by their hash."""
STRUCTURE = 1024
READ = 3_000
WORDS = 400
SHORT = 160
"""Characters of a last message that may say too little by itself, as *go on* does."""
BACK = 32
"""Messages, the last among them, in which what its user said before is looked for."""

_TOKEN = re.compile(
    rb"[a-z\x80-\xbf\xc2-\xdf]+(?:'[a-z]+)?|[0-9]+|[\xe0-\xff][\x80-\xbf]*|[^\sa-z0-9\x80-\xff]"
)
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"[0-9]+",
        rb"\\[a-z]+|\$",
        rb"\b[A-Z][a-z]+",
        rb"\b[A-Z][A-Z]+\b",
        rb"[.!?]\s",
        rb"\bdef |```|\breturn\b|\(\)|\b(?:class|import|const|let|var|function)\b",
        rb"(?m)^[ \t]{0,8}(?:[-*]|[0-9]{1,3}[.)])[ \t]",
        rb"(?m)^[ \t]{0,8}\(?[A-Ja-j][.)]",
        rb"[=+*/^<>]",
    )
)
_SINGLE = (b"\n", b"?", b",", b"(", b'"', b"%", b":", b"_")
_CUES = tuple(
    frozenset(words.encode().split())
    for words in (
        "analyze analyse explain compare evaluate prove derive justify reason reasoning why discuss",
        "many much sum total average percent probability ratio per each twice half equation",
        "write essay story poem email letter draft rewrite song blog script",
        "who whom whose when where which",
        "translate summarize summary classify extract list",
        "not except never least false incorrect",
        "step steps show calculate compute solve find determine",
        "you your i me my we someone",
    )
)
_LEVELS = (1, 2, 3, 5, 8, 13, 21, 40, 80)
_LENGTHS = tuple(round(2 ** (half / 2)) for half in range(6, 26))
_TURNS = (2, 3, 5, 9, 17)
_KIND = 2 * len(_LEVELS)
_COUNTED = len(_PATTERNS) + len(_SINGLE) + len(_CUES) + 1
_AFTER = _COUNTED * _KIND


def slots(ask: Ask) -> list[int]:
    """The numbers of all that is so of an ask, ascending."""
    return of_text(read(ask), ask.turns, tools=ask.tools, images=ask.images > 0)


def read(ask: Ask) -> str:
    """The last message's text; of a conversation whose last is short, with what its user said just before."""
    if ask.turns < 2 or len(ask.text) > SHORT:
        return ask.text
    said = (_said(message) for message in reversed(ask.body.get("messages", [])[-BACK:-1]))
    before = next(filter(None, said), "")
    return f"{ask.text}\n{before}" if before else ask.text


def _said(message: dict[str, Any]) -> str:
    """A user's text in a message of a request that was checked, its first `READ` characters; nothing of anyone else."""
    if message.get("role") != "user":
        return ""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content[:READ]
    texts = (part.get("text") for part in content)
    return "\n".join(text for text in texts if isinstance(text, str))[:READ]


def of_text(text: str, turns: int = 1, *, tools: bool = False, images: bool = False) -> list[int]:
    """The same of a last message's text, how many messages there are, and what else is sent along."""
    size = len(text)
    data = text[:READ].encode("utf-8", "surrogatepass")[:READ]
    words = [_plain(word) for word in _TOKEN.findall(data.lower())[:WORDS]]
    found = set(_structure(data, words))
    found.update(_shape(data, size, words, turns))
    found.update((_AFTER + 100,) if tools else ())
    found.update((_AFTER + 101,) if images else ())
    found.update(_hashed(words))
    return sorted(found)


def _plain(word: bytes) -> bytes:
    """A number by its length alone, anything else as it is, up to 24 bytes."""
    return b"0000"[: len(word)] if word[0] < 58 and word.isdigit() else word[:24]


def _structure(data: bytes, words: list[bytes]) -> Iterator[int]:
    """How often each sign stands there, and how densely: a slot for every level that is reached."""
    counts = [len(pattern.findall(data)) for pattern in _PATTERNS]
    counts += [data.count(sign) for sign in _SINGLE]
    counts += [sum(map(cue.__contains__, words)) for cue in _CUES]
    counts.append(sum(map(data.count, (b"\xc3", b"\xd0", b"\xe3", b"\xe4", b"\xe5", b"\xe2"))))
    dense = len(data) / 1000
    for kind, count in enumerate(counts):
        if not count:
            continue
        base = kind * _KIND
        for at, level in enumerate(_LEVELS):
            if count < level:
                break
            yield base + at
        base += len(_LEVELS)
        for at, level in enumerate(_LEVELS):
            if count < level * dense:
                break
            yield base + at


def _shape(data: bytes, size: int, words: list[bytes], turns: int) -> Iterator[int]:
    """How long it is, how it begins and ends, how long its words are, how many turns there were."""
    yield from (_AFTER + at for at, length in enumerate(_LENGTHS) if size >= length)
    yield from (_AFTER + 40 + at for at, turn in enumerate(_TURNS) if turns >= turn)
    if words:
        mean = sum(map(len, words)) / len(words)
        yield from (_AFTER + 50 + at for at in range(8) if mean >= 2.5 + at / 2)
    yield _AFTER + 60 + _class(data.lstrip()[:1])
    yield _AFTER + 70 + _class(data.rstrip()[-1:])


def _class(sign: bytes) -> int:
    """Nothing, a capital, a small letter, a digit, one of a few signs, or another."""
    if not sign:
        return 0
    if sign.isalnum():
        return 1 if sign.isupper() else 2 if sign.islower() else 3
    return 4 + b"?.:$`".find(sign) if sign in b"?.:$`" else 9


def _hashed(words: list[bytes]) -> Iterator[int]:
    """Words, pairs of neighbours, and how it begins and ends."""
    room = SIZE - STRUCTURE
    terms = set(words)
    terms.update(map(b"%b %b".__mod__, itertools.pairwise(words)))
    for length in (1, 2, 3):
        terms.add(b"^" + b" ".join(words[:length]))
        terms.add(b"$" + b" ".join(words[-length:]))
    return (STRUCTURE + crc32(term) % room for term in terms)
