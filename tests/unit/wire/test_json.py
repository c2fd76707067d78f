"""Strict JSON: what is taken, what is refused, and that nothing is told apart that is the same."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, Refused, TooLarge
from penstock.wire import json as strict
from penstock.wire.json import canonical, decode_object, encode

TEXT = st.text(max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(TEXT, JSON, max_size=5)
ALPHABET = '{}[]:,"\\u0022 ab1-.e'


def code_of(body: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        decode_object(body)
    return refusal.value.code


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_every_object_comes_back_as_it_was(
    value: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    found, form = decode_object(written)
    assert found == value
    assert json.loads(form) == value


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_canonical_form_knows_no_order_and_no_spelling(
    value: dict[str, Any], lots: Any
) -> None:
    names = list(value)
    lots.shuffle(names)
    other = json.dumps({name: value[name] for name in names}, ensure_ascii=False, indent=2)
    assert decode_object(other.encode())[1] == decode_object(json.dumps(value).encode())[1]
    assert canonical(value) == decode_object(encode(value))[1]


def strictly(body: bytes) -> Any:
    """The same rules by the standard library's parser, slowly; raises ValueError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise KeyError
        return dict(pairs)

    def never(name: str) -> None:
        raise ValueError(name)

    return json.loads(body.decode(), object_pairs_hook=unique, parse_constant=never)


@given(st.text(ALPHABET, max_size=24).map(lambda text: f"{{{text}}}".encode()))
def test_scraps_of_json_are_judged_as_the_slow_parser_does(body: bytes) -> None:
    agree(body)


PIECES = ["\\", '"', "\\u0022", "\\u005c", "a", "\\n"]


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(PIECES), max_size=4), st.integers(0, 3)), max_size=4
    )
)
def test_duplicates_hide_behind_no_escape(fields: list[tuple[list[str], int]]) -> None:
    body = ",".join(f'"{"".join(pieces)}": {value}' for pieces, value in fields)
    agree(f"{{{body}}}".encode())


def agree(body: bytes) -> None:
    try:
        want = strictly(body)
    except KeyError:
        assert code_of(body) == "duplicate_field"
    except ValueError:
        assert code_of(body) in ("invalid_json", "duplicate_field")
    else:
        assert decode_object(body)[0] == want


@given(st.binary(max_size=40))
def test_bytes_are_an_object_or_refused(body: bytes) -> None:
    try:
        found, _ = decode_object(body)
    except BadRequest as refusal:
        # The text of the parser's error could quote the caller.
        told = refusal.message
    else:
        told = ""
        assert isinstance(found, dict)
    assert told in ("", "The body is not valid JSON.", "The body must be a JSON object.",
                    "The body names a field twice.")  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b"{}x", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}"]
)  # fmt: skip
def test_what_is_no_strict_object_is_refused(body: bytes) -> None:
    assert code_of(body) == "invalid_json"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return f'{{"a":{opening * depth}1{closing * depth}}}'.encode()

    decode_object(nested(strict.MAX_DEPTH - 1))
    for depth in (strict.MAX_DEPTH, 500, 900, 980, 10_000):
        assert code_of(nested(depth)) == "invalid_json"


@pytest.mark.parametrize(
    "body", ['{"a":' + "[" * 200, '{"a":[' + '{"a":' * 200, '{"a":"\\"[",' + '"b":[{"c":' * 100]
)
def test_what_is_too_deep_is_never_decoded(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder's own recursion would take an interpreter in WebAssembly along."""
    monkeypatch.setattr(strict, "_decode", pytest.fail)
    assert code_of(body.encode()) == "invalid_json"


def test_brackets_in_strings_are_no_depth() -> None:
    told = {"a": "[" * 500, "b": '\\"[{' * 200, "{" * 200: [1]}
    assert decode_object(encode(told))[0] == told


def test_lists_without_a_comma_are_values_too() -> None:
    body = b'{"a":[' + b",".join([b"[" * 100 + b"]" * 100] * 600) + b"]}"
    with pytest.raises(TooLarge):
        decode_object(body)


def test_width_is_not_depth() -> None:
    wide: dict[str, Any] = {"a": [[] for _ in range(10 * strict.MAX_DEPTH)]}
    assert decode_object(encode(wide))[0] == wide


def values(value: Any) -> int:
    """How many values JSON holds."""
    if isinstance(value, dict):
        return 1 + sum(map(values, value.values()))
    return 1 + sum(map(values, value)) if isinstance(value, list) else 1


@given(OBJECTS, st.booleans())
def test_no_body_is_refused_for_values_that_it_does_not_have(
    value: dict[str, Any], ascii_only: bool
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict, "MAX_VALUES", 6)
        patch.setattr(strict, "_HEAD", 24)
        try:
            decode_object(body)
        except TooLarge:
            assert values(value) > 6


@given(
    st.lists(st.sampled_from(["", ",", '"', "\\", '",']), min_size=7, max_size=30), st.booleans()
)
def test_many_values_are_seen_among_commas_quotes_and_escapes(texts: list[str], keys: bool) -> None:
    named = {f"{i}{text}": text for i, text in enumerate(texts)}
    body = json.dumps({"a": named if keys else [0, *texts, *texts]}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict, "MAX_VALUES", 6)
        with pytest.raises(TooLarge):
            decode_object(body)


# What others reply


def levels(text: bytes) -> int:
    """How deep a text is, told bracket by bracket."""
    depth = most = 0
    quoted = escaped = False
    for byte in text:
        if quoted:
            quoted = escaped or byte != ord('"')
            escaped = byte == ord("\\") and not escaped
        elif byte == ord('"'):
            quoted = True
        elif byte in b"[{":
            depth += 1
            most = max(most, depth)
        elif byte in b"]}":
            depth -= 1
    return most


ODD_TEXT = st.text(alphabet='[]{}"\\a,é', max_size=8)
ODD_VALUE = st.recursive(
    ODD_TEXT | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=30,
)


@given(ODD_VALUE, st.sampled_from([0, 100, strict.MAX_DEPTH, strict.MAX_DEPTH + 9]))
def test_depth_is_told_as_it_is_counted(value: Any, around: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    text = b'[{"\\"[":' * (around // 2) + text + b"}]" * (around // 2)
    text = b"[" + text + b"," + b"[]," * strict.MAX_DEPTH + b"1]"
    assert strict.deep(text) == (levels(text) > strict.MAX_DEPTH)


def test_so_many_lists_side_by_side_are_not_deep() -> None:
    assert not strict.deep(b"[" + b"[]," * 300_000 + b"1]")


def test_the_part_of_a_reply_is_not_looked_at_again() -> None:
    whole = strict.parser(dict[str, msgspec.Raw])
    with pytest.raises(msgspec.DecodeError):
        whole(b'{"a":' + b"[" * 600 + b"]" * 600 + b"}")
    part = whole(b'{"a":' + b"[" * 100 + b"1" * 600 + b"]" * 100 + b"}")["a"]
    assert strict.parser(list)(part)
