"""Embeddings on the wire: what is refused and how, keys, packing, and both faces' replies."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.wire import embeddings as wire
from penstock.wire.chat import FORBIDDEN

floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
texts = st.lists(st.text(min_size=1).filter(lambda t: t.isprintable()), min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)

NAMES = ("model", "input", "text", "texts", "encoding_format", "dimensions", "user")


def body(**fields) -> bytes:
    return json.dumps({"model": "embed", "input": "hello", **fields}).encode()


def decode(max_batch: int = 2048, **fields) -> wire.EmbedAsk:
    return wire.decode_embeddings(body(**fields), max_batch)


def refused(**fields) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        decode(**fields)
    return caught.value


def test_one_text_is_single():
    ask = decode(input="héllo", user="u1")
    assert (ask.model, ask.texts, ask.single, ask.base64) == ("embed", ["héllo"], True, False)
    assert ask.fields == {"user": "u1"}


def test_a_list_keeps_its_order_and_says_how_to_answer():
    ask = decode(input=["b", "a"], encoding_format="base64", dimensions=256, seed=7)
    assert (ask.texts, ask.single, ask.base64) == (["b", "a"], False, True)
    assert ask.fields == {"dimensions": 256, "seed": 7}


@pytest.mark.parametrize(
    ("value", "param", "words"),
    [
        ("", "input", "must not be empty"),
        ([], "input", "must not be empty"),
        (["a", ""], "input[1]", "must not be empty"),
        ([None], "input[0]", "must be a string"),
        (["a", {"text": "b"}], "input[1]", "must be a string"),
        (["a", True], "input[1]", "must be a string"),
        (None, "input", "must be a string or a list"),
        (7, "input", "must be a string or a list"),
        ({"text": "a"}, "input", "must be a string or a list"),
    ],
)
def test_input_that_is_no_text_is_refused_where_it_stands(value, param, words):
    error = refused(input=value)
    assert (error.code, error.param) == ("invalid_field", param)
    assert words in error.message


@pytest.mark.parametrize("value", [[1, 2, 3], [[1, 2], [3]], ["a", [1]]])
def test_token_numbers_are_refused_by_name(value):
    error = refused(input=value)
    assert (error.code, error.param) == ("token_input_unsupported", "input")
    assert "send text" in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": -1}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"dimensions": True}, "dimensions"),
        ({"dimensions": 10**9}, "dimensions"),
        ({"user": 7}, "user"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
    ],
)
def test_a_field_of_a_wrong_kind_is_named_without_its_value(fields, param):
    error = refused(**fields)
    assert (error.code, error.param) == ("invalid_field", param)
    assert "hex" not in error.message


@pytest.mark.parametrize("missing", ["model", "input"])
def test_a_missing_field_is_named(missing):
    value = json.loads(body())
    del value[missing]
    with pytest.raises(BadRequest, match=missing):
        wire.decode_embeddings(json.dumps(value).encode(), 8)


@pytest.mark.parametrize("field", sorted(FORBIDDEN))
@pytest.mark.parametrize("face", [wire.decode_embeddings, wire.decode_product])
def test_fields_that_would_steer_the_gateway_are_refused(face, field):
    with pytest.raises(BadRequest) as caught:
        face(body(text="a", **{field: "x"}), 8)
    assert (caught.value.code, caught.value.param) == ("forbidden_field", field)


@pytest.mark.parametrize("face", [wire.decode_embeddings, wire.decode_product])
def test_too_many_texts_have_their_own_code(face):
    many = ["a"] * 11
    with pytest.raises(BadRequest) as caught:
        face(body(input=many, texts=many), 10)
    assert caught.value.code == "too_many_inputs"
    assert "11" in caught.value.message
    assert "10" in caught.value.message
    assert len(face(body(input=many, texts=many), 11).texts) == 11


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"input": NaN}', b'{"model":"a","model":"b"}'])
@pytest.mark.parametrize("face", [wire.decode_embeddings, wire.decode_product])
def test_what_is_no_strict_object_is_refused(face, raw):
    with pytest.raises(BadRequest):
        face(raw, 8)


def asked(face: Callable[[bytes, int], wire.EmbedAsk], raw: bytes) -> wire.EmbedAsk | None:
    try:
        return face(raw, 3)
    except BadRequest:
        return None


@given(st.binary() | json_values.map(lambda v: json.dumps(v).encode()))
def test_no_body_is_worse_than_a_bad_request(raw):
    for face in (wire.decode_embeddings, wire.decode_product):
        assert_texts(asked(face, raw))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, json_values)))
def test_fields_of_any_kind_give_an_ask_of_texts_or_a_bad_request(value):
    for face in (wire.decode_embeddings, wire.decode_product):
        assert_texts(asked(face, json.dumps(value).encode()))


def assert_texts(ask: wire.EmbedAsk | None) -> None:
    if ask is not None:
        assert 1 <= len(ask.texts) <= 3
        assert all(type(text) is str and text for text in ask.texts)


@given(texts)
def test_the_bound_is_above_the_bytes(some):
    ask = decode(input=some)
    assert ask.texts == some
    assert ask.bound(some) == sum(len(t.encode()) + wire.TEXT_OVERHEAD for t in some)
    told = decode(input=some, instruction="é" * 9)
    assert told.bound(some) >= ask.bound(some) + len(some) * len(b"instruction" + "é".encode() * 9)


def test_product_texts_come_bare_or_in_a_list():
    one = wire.decode_product(b'{"text": "a", "whatever": 1}', 8)
    assert (one.model, one.texts, one.single, one.fields) == ("embed", ["a"], True, {})
    two = wire.decode_product(b'{"text": null, "texts": ["a", "b"]}', 8)
    assert (two.texts, two.single) == (["a", "b"], False)


@pytest.mark.parametrize("raw", [b"{}", b'{"text":""}', b'{"texts":[]}', b'{"text":null}'])
def test_product_without_text_says_so_in_the_first_designs_words(raw):
    with pytest.raises(BadRequest) as caught:
        wire.decode_product(raw, 8)
    assert caught.value.text == "Missing text or texts"


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"text":"a","texts":["b"]}', "text"),
        (b'{"text":7}', "text"),
        (b'{"text":["a"]}', "text"),
        (b'{"texts":"a"}', "texts"),
        (b'{"texts":["a",""]}', "texts[1]"),
        (b'{"texts":[1,2]}', "texts"),
    ],
)
def test_product_texts_of_a_wrong_kind_are_named(raw, param):
    with pytest.raises(BadRequest) as caught:
        wire.decode_product(raw, 8)
    assert caught.value.param == param


def test_keys_ignore_order_delivery_and_face():
    bare = decode(input="a").requests()
    assert bare == decode(input=["a"], encoding_format="base64", user=None, model="x").requests()
    assert bare == wire.decode_product(b'{"text":"a"}', 8).requests()
    assert decode(dimensions=2, seed=1).requests() == decode(seed=1, dimensions=2).requests()


@pytest.mark.parametrize(
    "fields", [{"dimensions": 2}, {"user": "u"}, {"seed": 1}, {"seed": None}, {"input": "hellO"}]
)
def test_keys_differ_by_all_that_may_change_a_vector(fields):
    assert decode().requests() != decode(**fields).requests()


@given(st.integers(0, 10**9), st.integers(0, 10**15), st.integers(1, 50), st.booleans())
def test_what_a_text_took_is_shared_out_among_its_places_to_the_last_nano(
    tokens, cost, places, cached
):
    items = wire.at_each(wire.Embedded([1.0], tokens, cost, cached), places)
    assert len(items) == places
    if cached:
        # Each place was found, and nothing was paid for any.
        assert {(item.tokens, item.cost_nanos) for item in items} == {(tokens, cost)}
    else:
        assert (sum(i.tokens for i in items), sum(i.cost_nanos for i in items)) == (tokens, cost)
        assert max(i.tokens for i in items) - min(i.tokens for i in items) <= 1


def test_no_text_can_pose_as_settings():
    assert (
        decode(input='{"dimensions":2}a').requests() != decode(input="a", dimensions=2).requests()
    )


@given(st.lists(floats32, max_size=64))
def test_packing_keeps_every_float32(vector):
    packed = wire.pack(vector)
    assert len(packed) == 4 * len(vector)
    assert wire.unpack(packed) == vector
    assert wire.pack(packed) is packed


def test_packed_bytes_are_little_endian():
    assert wire.pack([1.0, -2.0]) == struct.pack("<ff", 1.0, -2.0)


def test_what_no_float32_can_hold_is_refused():
    with pytest.raises(OverflowError):
        wire.pack([1e40])
    with pytest.raises(ValueError, match="multiple"):
        wire.unpack(b"12345")


@given(st.integers(0, 10**15), texts)
def test_shares_add_up_and_follow_length(total, some):
    shares = wire.split(total, some)
    whole = sum(len(t.encode()) + 1 for t in some)
    assert sum(shares) == total
    for text, share in zip(some, shares, strict=True):
        assert abs(share - total * (len(text.encode()) + 1) / whole) <= 1 + total * 1e-12


@pytest.mark.parametrize("held", [list, wire.pack])
def test_openai_reply_in_floats(held):
    vectors = [[0.5, -0.25], [1.0, 0.0]]
    reply = json.loads(wire.openai_reply("embed", [held(v) for v in vectors], 7, False))
    assert reply == {
        "object": "list",
        "model": "embed",
        "data": [
            {"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


@pytest.mark.parametrize("held", [list, wire.pack])
def test_openai_reply_in_base64_is_little_endian_float32(held):
    reply = json.loads(wire.openai_reply("embed", [held([0.5, -0.25, 3.0])], 7, True))
    carried = base64.b64decode(reply["data"][0]["embedding"], validate=True)
    assert struct.unpack("<3f", carried) == (0.5, -0.25, 3.0)


def test_product_reply_of_one_text():
    item = wire.Embedded([0.5], 3, 20)
    reply = json.loads(wire.product_reply(True, [item], "cloudflare", "@cf/baai/bge-base-en-v1.5"))
    assert reply == {
        "embedding": [0.5],
        "tokens": 3,
        "cost": 2e-8,
        "provider": "cloudflare",
        "model": "bge-base-en-v1.5",
    }
    hit = wire.Embedded(wire.pack([0.5]), 3, 0, cached=True)
    assert json.loads(wire.product_reply(True, [hit], "local", "m"))["cached"] is True


def test_product_reply_of_a_batch_counts_its_hits():
    items = [wire.Embedded([0.5], 3, 20), wire.Embedded(wire.pack([0.25]), 4, 0, cached=True)]
    reply = json.loads(wire.product_reply(False, items, "local", "minilm"))
    assert [e["embedding"] for e in reply.pop("embeddings")] == [[0.5], [0.25]]
    assert reply == {"totalTokens": 7, "totalCost": 2e-8, "provider": "local", "cached": 1}


@given(st.integers(0, 10**14))
def test_dollars_have_at_most_nine_decimals(nanos):
    shown = bytes(wire.dollars(nanos)).decode()
    assert re.fullmatch(r"\d+(\.\d{1,9})?", shown)
    assert Decimal(shown) * 10**9 == nanos


@pytest.mark.parametrize(
    ("model", "short"),
    [("@cf/baai/bge-m3", "bge-m3"), ("BAAI/bge-m3", "BAAI/bge-m3"), ("embed", "embed")],
)
def test_a_models_name_loses_cloudflares_prefix_only(model, short):
    assert wire.short_model(model) == short
