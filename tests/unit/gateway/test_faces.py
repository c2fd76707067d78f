"""The chat faces' decoders: what a valid ask keeps, and that nothing but a refusal is ever raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth.caller import Caller
from penstock.errors import Forbidden, Refused
from penstock.gateway.faces import ONE_MESSAGE, OPENAI, PRODUCT, Face
from penstock.wire.chat import Ask

ANYONE = Caller(sub="a")
FORCER = Caller(sub="f", scopes=frozenset({"chat", "route:force"}))
FACES = {"openai": OPENAI, "product": PRODUCT, "one message": ONE_MESSAGE}

TEXT = st.text(max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXT}
)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.none() | st.text(min_size=1, max_size=20),
    "stream": st.none() | st.booleans(),
    "temperature": st.none() | st.floats(0, 2),
    "max_tokens": st.none() | st.integers(1, 10**7),
    "forceProvider": st.none() | TEXT,
}
NAMES = [
    "model",
    "messages",
    "message",
    "stream",
    "temperature",
    "max_tokens",
    "forceProvider",
    "n",
    "tools",
]


def decode(face: Face, value: Any, caller: Caller = FORCER) -> Ask:
    return face.decode(json.dumps(value).encode(), caller)


@given(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGE, min_size=1, max_size=4)},
        optional={**OPTIONS, "made_up": JSON.filter(lambda value: "NaN" not in repr(value))},
    ).filter(lambda body: "nan" not in repr(body) and "inf" not in repr(body))
)
def test_a_product_ask_keeps_what_it_knows_and_drops_the_rest(body: dict[str, Any]) -> None:
    ask = decode(PRODUCT, body)
    known = {
        name: body[name]
        for name in ("stream", "temperature", "max_tokens")
        if body.get(name) is not None
    }
    force = body.get("forceProvider")
    assert ask.body == {**known, "messages": body["messages"], "model": body.get("model") or "auto"}
    assert ask.model == (body.get("model") or ("" if force is not None else "auto"))
    assert ask.force_provider == force
    assert ask.max_output == body.get("max_tokens")
    assert ask.stream == bool(body.get("stream"))
    assert ask.unknown == ()
    assert ask.text == body["messages"][-1]["content"]


@given(
    st.fixed_dictionaries({"message": st.text(min_size=1, max_size=12)}, optional={**OPTIONS, "messages": TEXT})
)  # fmt: skip
def test_one_message_is_the_product_ask_of_one_message(body: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": body["message"]}]
    rest = {name: value for name, value in body.items() if name not in ("message", "messages")}
    assert decode(ONE_MESSAGE, body) == decode(PRODUCT, {**rest, "messages": messages})


def test_fields_of_a_message_that_the_product_does_not_know_are_dropped() -> None:
    messages = [{"role": "user", "content": "hello", "name": 5, "tool_calls": "x"}]
    ask = decode(PRODUCT, {"messages": messages})
    assert ask.body["messages"] == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@given(data=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_refused_and_no_worse(face: Face, data: bytes) -> None:
    with pytest.raises(Refused):
        face.decode(data, ANYONE)


@pytest.mark.parametrize("face", FACES.values(), ids=FACES.keys())
@given(value=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5), good=st.booleans())
def test_any_value_in_any_field_is_an_ask_or_a_refusal(
    face: Face, value: dict[str, Any], good: bool
) -> None:
    seed = {"model": "m", "messages": [{"role": "user", "content": "x"}], "message": "x"}
    try:
        ask: Ask | None = decode(face, {**seed, **value} if good else value, ANYONE)
    except Refused:
        ask = None
    assert ask is None or ask.body["messages"]


@pytest.mark.parametrize("face", [PRODUCT, ONE_MESSAGE])
@given(
    force=JSON.filter(lambda value: value is not None and not isinstance(value, float)),
    rest=st.dictionaries(TEXT, st.none(), max_size=3),
)
def test_forcing_a_provider_needs_its_scope_whatever_else_is_wrong(
    face: Face, force: Any, rest: dict[str, Any]
) -> None:
    body = json.dumps({**rest, "forceProvider": force})
    if "NaN" in body or "Infinity" in body or "provider" in rest:
        return
    with pytest.raises(Forbidden):
        face.decode(body.encode(), ANYONE)
