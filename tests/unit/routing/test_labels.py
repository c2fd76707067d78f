"""Labels are read, or refused with the line and the reason."""

from __future__ import annotations

import json

import pytest

from penstock.errors import BadRequest
from penstock.gateway import labels as gateway_labels
from penstock.routing import features, labels
from penstock.routing.labels import folds, read, units
from penstock.wire.chat import Ask
from penstock.wire.json import encode
from tests.unit.routing.labelled import lines, made


def refused(rows: list[bytes]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        read(rows)
    return caught.value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"prompt": "x", "weak": 1}', "missing required field `strong`"),
        (b'{"weak": 1, "strong": 1}', "needs one of `prompt`, `messages` and `features`"),
        (b'{"prompt": "x", "messages": [{"role": "user", "content": "x"}], "weak": 1, "strong": 1}', "needs one of"),
        (b'{"messages": [], "weak": 1, "strong": 1}', "needs one of"),
        (b'{"prompt": "x", "weak": NaN, "strong": 1}', "not JSON (NaN is none)"),
        (b'{"prompt": "x", "weak": 1.01, "strong": 1}', "`weak` that is not from 0 to 1"),
        (b'{"prompt": "x", "weak": 0, "strong": -0.1}', "`strong` that is not from 0 to 1"),
        (b'{"prompt": "x", "weak": 1e999, "strong": 1}', "no label"),
        (b'{"prompt": "x", "weak": "1", "strong": 1}', "Expected `float`"),
        (b'{"prompt": "x", "weak": true, "strong": 1}', "Expected `float`"),
        (b'{"prompt": 7, "weak": 0, "strong": 1}', "no label"),
        (b'{"prompt": "x", "weak": 0, "strong": 1, "weak_cost": -1}', "`weak_cost` that is no amount"),
        (b'{"messages": [{"role": "nobody"}], "weak": 0, "strong": 1}', "no label"),
        (b"[1]", "no label"),
        (b"not json", "not JSON"),
        (b'{"prompt": "' + b"\xff" + b'", "weak": 0, "strong": 1}', "no label"),
        (b'{"prompt": "x", "weak": 0, "strong": 1, "tools": ' + b"[" * 5000 + b"]" * 5000 + b"}", "no label"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_label_is_named(line: bytes, told: str) -> None:
    error = refused([*lines(made(60)), line])
    assert error.code == "invalid_labels"
    assert "Line 61" in error.message
    assert told in error.message


def test_a_refusal_never_repeats_what_was_asked() -> None:
    line = b'{"prompt": "the secret of the tenant", "weak": 2, "strong": 1}'
    assert "secret" not in refused([line]).message


def test_too_few() -> None:
    assert refused(lines(made(49))).code == "labels_too_few"
    assert refused([]).code == "labels_too_few"


@pytest.mark.parametrize("weak", [0.0, 0.5, 1.0])
def test_one_class_only(weak: float) -> None:
    rows = [row | {"weak": weak} for row in made(60)]
    assert refused(lines(rows)).code == "labels_one_class"


def test_no_gain() -> None:
    rows = [row | {"weak": at % 2, "strong": (at + 1) % 2} for at, row in enumerate(made(60))]
    assert refused(lines(rows)).code == "labels_no_gain"


def test_a_line_without_end_is_refused() -> None:
    assert "longer" in refused([b"x" * (labels.MOST_LINE_BYTES + 1)]).message


def test_more_lines_than_are_read_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(labels, "MOST_LINES", 60)
    assert "one more than" in refused(lines(made(61))).message


def test_of_many_an_even_sample_is_used_the_same_in_any_order(monkeypatch) -> None:
    monkeypatch.setattr(labels, "MOST_ROWS", 80)
    given = lines(made(400))
    found = read(given)
    assert (len(found.rows), found.lines) == (80, 400)
    other = read(given[::-1])
    assert {row.text for row in found.rows} == {row.text for row in other.rows}
    assert found.digest != other.digest


def test_empty_lines_are_nothing() -> None:
    assert read([b"\n", *lines(made(50)), b"  \n"]).lines == 50


def test_a_mark_of_utf_8_at_the_start_is_nothing() -> None:
    first, *others = lines(made(60))
    assert read([b"\xef\xbb\xbf" + first, *others]).rows == read([first, *others]).rows


def test_messages_are_read_as_a_request_is() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "prove it"}]},
    ]
    rows = made(59)
    asked = {"messages": turns, "weak": 0, "strong": 1, "weak_cost": 0.001, "strong_cost": 0.01}
    found = read(lines([*rows, asked]))
    assert found.rows[-1].length == len("prove it")
    assert found.rows[-1].costs == (0.001, 0.01)
    alone = read(lines([*rows, {"prompt": "prove it", "weak": 0, "strong": 1}]))
    assert found.rows[-1].slots != alone.rows[-1].slots


def test_rows_of_one_group_or_one_text_are_never_on_both_sides() -> None:
    rows = [row | {"group": at % 7} for at, row in enumerate(made(70))]
    again = [*made(60), *made(60)]
    for given, together in ((rows, 7), (again, 60)):
        found = read(lines(given)).rows
        assert len(units(found)) == together
        part_of = folds(found, 5)
        assert all(len({part_of[at] for at in unit}) == 1 for unit in units(found))
        assert set(part_of) == set(range(5))
    assert read(lines(again)).repeated == 60


def test_fewer_groups_than_parts_are_refused() -> None:
    found = read(lines([row | {"group": at % 3} for at, row in enumerate(made(60))])).rows
    with pytest.raises(BadRequest) as caught:
        folds(found, 5)
    assert caught.value.code == "labels_too_few_groups"


def test_a_group_is_no_text() -> None:
    rows = [json.loads(line) for line in lines(made(60))]
    assert len(units(read(lines([row | {"group": "a"} for row in rows])).rows)) == 1


def test_features_say_what_the_text_did() -> None:
    """As `penstock router labels` writes them where no text was kept."""
    prompts = [f"Explain number {at} to me, step by step. " * (at % 5 + 1) for at in range(60)]
    scores = {"weak": 0.25, "group": "g"}
    whole = [
        encode({"prompt": prompt, "strong": at % 2, **scores}) for at, prompt in enumerate(prompts)
    ]
    without = []
    for at, prompt in enumerate(prompts):
        seen = json.loads(gateway_labels.seen(Ask("", {}, b"", text=prompt)))
        without.append(encode({"features": seen, "strong": at % 2, **scores}))
    for one, other in zip(read(whole).rows, read(without).rows, strict=True):
        assert (one.slots, one.length, one.complexity) == (
            other.slots, other.length, other.complexity,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 99}, "version 99"),
        ({"slots": [1 << 20]}, "slots that are not"),
        ({"slots": [-1]}, "slots that are not"),
        ({"length": -1}, "slots that are not"),
        ({"complexity": "odd"}, "is no label"),
    ],
)
def test_features_that_cannot_be_used(change: dict[str, object], told: str) -> None:
    seen = {"version": features.VERSION, "slots": [1], "length": 3, "complexity": "simple"} | change
    with pytest.raises(BadRequest, match=told):
        read([encode({"features": seen, "weak": 0, "strong": 1})])


def test_conversations_that_end_alike_are_no_repetition() -> None:
    """Each would be one group with all others that end in *go on*, and nothing could be learned of them."""
    given = made(60)
    for row in given:
        said = (row.pop("prompt"), "go on")
        row["messages"] = [{"role": "user", "content": text} for text in said]
    found = read(lines(given))
    assert found.repeated == 0
    assert len(units(found.rows)) == 60
