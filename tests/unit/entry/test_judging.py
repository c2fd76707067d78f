"""What judges need of this host: functions by their dotted path, files of references, and why a start is refused."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path

import pytest

from penstock.config import Config, decode, defaults
from penstock.entry import judging
from penstock.errors import Misconfigured, Unavailable
from penstock.routing import judging as judged

SHADOW = """
[routes.auto]
policy = "heuristic"
shadow = {{ share = 0.5, money = "1.00", judge = "{judge}"{more} }}
"""
MESSAGES = [{"role": "user", "content": "hi"}]


def configured(judge: str, more: str = "") -> Config:
    return defaults(decode(SHADOW.format(judge=judge, more=more), {}), {})[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


async def test_a_function_may_wait_or_not(place: Path) -> None:
    (place / "mine.py").write_text(
        "def plain(messages, answer):\n    return answer == messages[0]['content']\n"
        "async def waits(messages, answer):\n    return 0.25\n"
        "def wrong(messages, answer):\n    return 2\n"
        "def words(messages, answer):\n    return 'good'\n"
    )
    plain = judging.given(configured("mine:plain")).scorers["auto"]
    assert (await plain(MESSAGES, "hi"), await plain(MESSAGES, "ho")) == (1.0, 0.0)
    assert await judging.given(configured("mine:waits")).scorers["auto"](MESSAGES, "") == 0.25
    for name in ("wrong", "words"):
        with pytest.raises(Unavailable):
            await judging.given(configured(f"mine:{name}")).scorers["auto"](MESSAGES, "")


async def test_a_function_that_takes_too_long_gives_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(messages: object, answer: str) -> float:
        await asyncio.Event().wait()
        return 1.0

    monkeypatch.setattr(judging, "SECONDS", 0.001)
    with pytest.raises(Unavailable):
        await judging.scorer(never)(MESSAGES, "")


async def test_a_plain_function_that_fails_or_hangs_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(messages: object, answer: str) -> float:
        raise ValueError(answer)

    with pytest.raises(ValueError, match="it"):
        await judging.scorer(fails)(MESSAGES, "it")
    going = threading.Event()
    monkeypatch.setattr(judging, "MOST_THREADS", 1)
    monkeypatch.setattr(judging, "SECONDS", 0.001)
    hanging = judging.scorer(lambda messages, answer: float(going.wait()))
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await hanging(MESSAGES, "")
    finally:
        going.set()


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        ("nowhere_at_all:f", "cannot be imported here"),
        ("mine:f", "ZeroDivisionError"),
        ("json:nothing", "has no function nothing"),
        ("json:__doc__", "has no function"),
    ],
)
def test_what_is_not_there_is_refused_at_the_start(place: Path, judge: str, why: str) -> None:
    (place / "mine.py").write_text("1 / 0  # and a secret\n")
    with pytest.raises(Misconfigured, match=why) as refused:
        judging.given(configured(judge))
    assert "secret" not in refused.value.message


def test_references_are_found_whatever_their_case_and_signs(place: Path) -> None:
    lines = [{"prompt": "What is the capital of France?", "reference": "Paris"}]
    (place / "r.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = judging.given(configured("exact", ', references = "r.jsonl"')).references["auto"]
    assert found[judged.named("what is capital of france")] == "Paris"
    assert judged.named("of Spain") not in found


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "has no line"), ("{}\n", "line 1 is none"), ('{"prompt": "a", "reference": "!"}\n', "line 1 is none"),
     ('{"prompt": "a", "reference": "b"}\nx\n', "line 2 is none"), ("[" * 9_000, "line 1 is none")],
)  # fmt: skip
def test_references_that_are_none_are_refused(place: Path, text: str, why: str) -> None:
    (place / "r.jsonl").write_text(text)
    with pytest.raises(Misconfigured, match=why):
        judging.given(configured("exact", ', references = "r.jsonl"'))
    with pytest.raises(Misconfigured, match="cannot be read"):
        judging.given(configured("exact", ', references = "other.jsonl"'))


@pytest.mark.parametrize(
    ("shadow", "why"),
    [
        ('share = 1, money = "0", judge = "exact"', "shadow.money is no amount"),
        ('share = 1, money = "1", judge = "exact"', "shadow.references goes with"),
        ('share = 1, money = "1", judge = "a:b", references = "x"', "shadow.references goes with"),
        ('share = 1, money = "1", judge = "openai/nobody"', "shadow.judge is no chat target"),
        ('share = 1, money = "1", judge = "a:b", weak = "x/y"', "shadow.weak names no chat target"),
        ('share = 1, money = "1", judge = "a:b", weak = "sandbox/gpt-4o"', "compares sandbox/gpt-4o with itself"),
        ('share = 0, money = "1", judge = "a:b"', "share"),
        ('share = 1.5, money = "1", judge = "a:b"', "share"),
        ('share = 1, judge = "a:b"', "money"),
    ],
)  # fmt: skip
def test_a_shadow_that_cannot_be_is_refused(shadow: str, why: str) -> None:
    text = (
        f'[routes.auto]\npolicy = "heuristic"\nstrong = "sandbox/gpt-4o"\nshadow = {{ {shadow} }}\n'
    )
    with pytest.raises(Misconfigured, match=why):
        defaults(decode(text, {}), {})


def test_a_fixed_route_says_which_is_weak_and_embeddings_have_none() -> None:
    shadow = 'shadow = { share = 1, money = "1", judge = "a:b" }'
    with pytest.raises(Misconfigured, match=r"shadow\.weak names no chat target"):
        defaults(decode(f'[routes.r]\ntargets = ["sandbox/gpt-4o"]\n{shadow}\n', {}), {})
    with pytest.raises(Misconfigured, match="is for chats"):
        defaults(decode(f'[routes.embed]\nverb = "embed"\n{shadow}\n', {}), {})
