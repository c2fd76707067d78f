"""A provider's export beside the ledger: read in every form, compared exactly."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ledger import book, days, invoices
from penstock.ledger.book import Account, Charged
from penstock.ledger.invoices import Export, Line, Ours, Used
from penstock.ledger.invoices.read import Unreadable, read
from penstock.platforms import memory
from penstock.wire.chat import Usage

DAY = "2026-11-23"
AT = days.parse(DAY) or 0
NOTHING = Fraction(0)
GENERIC = """day,model,input_tokens,cached_input_tokens,output_tokens,requests,cost
2026-11-23,gpt-4o,1000,800,500,5,0.0075
2026-11-24,gpt-4o,1,0,2,1,0.000000001
"""
OPENAI = {
    "object": "page",
    "has_more": False,
    "next_page": None,
    "data": [
        {
            "object": "bucket",
            "start_time": AT // 1000,
            "end_time": AT // 1000 + 86_400,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1000,
                    "output_tokens": 500,
                    "input_cached_tokens": 800,
                    "num_model_requests": 5,
                    "project_id": None,
                    "model": "gpt-4o-2024-08-06",
                }
            ],
        },
        {"object": "bucket", "start_time": AT // 1000 + 86_400, "end_time": 0, "results": []},
    ],
}
ANTHROPIC = {
    "has_more": False,
    "data": [
        {
            "starting_at": "2026-11-23T00:00:00Z",
            "ending_at": "2026-11-24T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1500,
                    "cache_creation": {
                        "ephemeral_1h_input_tokens": 1000,
                        "ephemeral_5m_input_tokens": 500,
                    },
                    "cache_read_input_tokens": 200,
                    "output_tokens": 500,
                    "model": "claude-sonnet-4-20250514",
                    "service_tier": "standard",
                }
            ],
        }
    ],
}
ANTHROPIC_CSV = (
    "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\r\n"
    '2026-11-23,claude-sonnet-4-20250514,"key, one",1500,500,1000,200,500\r\n'
)


def test_the_generic_form_in_both_syntaxes() -> None:
    export = read(GENERIC, as_json=False)
    assert export.lines[0] == Line(DAY, "gpt-4o", Used(5, 0, 1000, 800, 500, 7_500_000))
    assert export.lines[1].used.cost_nanos == 1
    assert export.tells == {"requests", "input", "cached_input", "output", "cost_nanos"}
    rows = list(csv.DictReader(io.StringIO(GENERIC)))
    assert read(json.dumps(rows), as_json=True) == export
    assert read(json.dumps({"rows": rows}), as_json=True) == export


def test_openais_pages() -> None:
    (line,) = read(json.dumps(OPENAI), as_json=True).lines
    assert line == Line(DAY, "gpt-4o-2024-08-06", Used(5, 0, 1000, 800, 500))
    assert len(read(json.dumps([OPENAI, OPENAI]), as_json=True).lines) == 2


def test_anthropics_pages_and_their_csv() -> None:
    export = read(json.dumps(ANTHROPIC), as_json=True)
    assert export.lines == (Line(DAY, "claude-sonnet-4-20250514", Used(0, 0, 3200, 200, 500)),)
    assert read(ANTHROPIC_CSV, as_json=False) == export


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_in_any_order_with_others_between(mark: str) -> None:
    text = mark.join(["Output_Tokens", "note", " Model ", "Date"]) + "\n"
    text += mark.join(["7", "x", "gpt-4o", "2026-11-23T13:00:00Z"]) + "\n\n"
    assert read(text, as_json=False).lines == (Line(DAY, "gpt-4o", Used(output=7)),)


def test_money_is_rounded_to_the_nearest_nano_once_a_row() -> None:
    def nanos(text: str) -> int:
        rows = [{"day": DAY, "model": "m", "cost": text}]
        return read(json.dumps(rows), as_json=True).lines[0].used.cost_nanos

    assert nanos("0.1") == 100_000_000
    assert nanos("1e-9") == 1
    assert nanos("0.0000000016") == 2
    assert nanos("-0.5") == -500_000_000
    (line,) = read('[{"day":"2026-11-23","model":"m","cost":0.1}]', as_json=True).lines
    assert line.used.cost_nanos == 100_000_000


HEAD = "day,model,input_tokens,cost\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: no column 'day'"),
        ("day,input_tokens\n", "line 1: no column 'model' (or model_version)"),
        ("day,model,model,cost\n", "line 1: the column 'model' stands twice"),
        (HEAD, "it has no rows"),
        ("day,model\n2026-11-23,m\n", "no column is known beside day and model"),
        (HEAD + "2026-11-23,m,1,1\n2026-11-23,m,1.5,1\n", "line 3, column 'input_tokens': '1.5' is no whole"),
        (HEAD + "2026-11-23,m,-1,1\n", "line 2, column 'input_tokens': '-1'"),
        (HEAD + "2026-11-23,m,1e400,1\n", "line 2, column 'input_tokens': '1e400'"),
        (HEAD + "2026-11-23,m,1,$1\n", "line 2, column 'cost': '$1' is no amount in US dollars"),
        (HEAD + "2026-11-23,m,1,NaN\n", "line 2, column 'cost': 'NaN'"),
        (HEAD + "2026-11-23,m,1,99999999999\n", "line 2, column 'cost'"),
        (HEAD + "yesterday,m,1,1\n", "line 2, column 'day': 'yesterday' is no day such as 2026-11-23"),
        (HEAD + "5,m,1,1\n", "line 2, column 'day': '5' is no day"),
        (HEAD + ",m,1,1\n", "line 2: the column 'day' is missing or empty"),
        (HEAD + "2026-11-23,,1,1\n", "line 2: the column 'model' is missing or empty"),
        (HEAD + "2026-11-23,m,1\n", "line 2: 3 columns, where the head has 4"),
        (HEAD + '2026-11-23,"m,1,1\n', "this is no CSV"),
        ("day,date,model,cost\n2026-11-23,2026-11-23,m,1\n", "line 2: the columns 'day' and 'date' say the same"),
    ],
)  # fmt: skip
def test_a_csv_that_cannot_be_read_is_told_by_line_and_column(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as told:
        read(text, as_json=False)
    assert says in str(told.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"day":\n oops}]', "line 2, column 2: this is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("{}", "neither a list of rows"),
        ("[]", "it has no rows"),
        ("[1]", "row 1: this is no object"),
        ('[{"day": "2026-11-23", "model": 5, "cost": 1}]', "row 1, column 'model': a model's name is a text"),
        ('[{"day": "2026-11-23", "model": "m", "cost": true}]', "row 1, column 'cost': 'True'"),
        ('[{"day": "2026-11-23", "model": "m", "cost": NaN}]', "NaN is no number"),
        ('[{"day": "2026-11-23", "model": "m", "output_tokens": [1]}]', "row 1, column 'output_tokens'"),
        ('{"data": [{"start_time": 1, "results": {}}]}', "row 1: 'results' is no list"),
        ('{"data": [{"start_time": 1730419200, "results": [{"model": null, "input_tokens": 1}]}]}', "'model' is missing"),
        ('{"data": [], "has_more": true}', "one page of several"),
    ],
)  # fmt: skip
def test_a_json_that_cannot_be_read_is_told_by_its_place(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as told:
        read(text, as_json=True)
    assert says in str(told.value)


def test_two_billing_columns_that_say_the_same_are_refused() -> None:
    with pytest.raises(Unreadable, match="'cost' and 'cost_usd' say the same"):
        read(f"day,model,cost,cost_usd\n{DAY},m,1,1\n", as_json=False)


# The comparison


def used(**counts: int) -> Used:
    return Used(**counts)


def export(*lines: Line, tells: str = "input output cost_nanos") -> Export:
    return Export(lines, frozenset(tells.split()))


async def test_what_the_ledger_says_without_what_is_on_no_invoice() -> None:
    platform = memory.platform()
    cheap = Charged("openai", "gpt-4o-mini", "openai/gpt-4o-mini")
    whose = [Account(f"r{n}", "o/a", "o", "a", "", "auto", "chat") for n in range(5)]
    usage = Usage(10, 3, 2, 5)
    await platform.tables.batch(
        book.final(whose[0], 1, "settled", AT, cheap, usage, 100),
        book.final(whose[1], 1, "estimated", AT + days.DAY_MS - 1, cheap, usage, 11),
        book.final(whose[2], 1, "released", AT, cheap, Usage(), 0),
        book.final(whose[3], 0, "settled", AT, cheap, usage, 0, "hit"),
        book.final(whose[4], 1, "settled", AT + days.DAY_MS, cheap, usage, 7),
    )
    found = await invoices.ours(platform.tables, AT, AT + days.DAY_MS)
    assert found == [Ours(DAY, "openai", "gpt-4o-mini", Used(2, 1, 30, 6, 10, 111))]


def test_both_sides_are_shown_wherever_one_of_them_has_something() -> None:
    mine = [
        Ours(DAY, "openai", "gpt-4o", used(input=10, output=5, cost_nanos=100)),
        Ours("2026-11-24", "openai", "gpt-4o", used(input=1)),
        Ours(DAY, "anthropic", "claude", used(input=7)),
    ]
    file = export(
        Line(DAY, "gpt-4o-2024-08-06", used(input=6, output=5, cost_nanos=60)),
        Line(DAY, "gpt-4o", used(input=4, cost_nanos=40)),
        Line(DAY, "o3", used(output=2)),
    )
    found = invoices.compare(file, mine, NOTHING)
    assert [(row.day, row.model, row.drifts) for row in found.rows] == [
        (DAY, "gpt-4o", ()),
        (DAY, "o3", ("output",)),
        ("2026-11-24", "gpt-4o", ("input",)),
    ]
    assert found.providers == ("openai",)
    assert found.drifts
    every = invoices.compare(file, mine, NOTHING, ["openai", "anthropic"])
    assert [row.model for row in every.rows] == ["claude", "gpt-4o", "o3", "gpt-4o"]
    assert every.total.ours.input == 18


def test_the_tolerance_is_a_share_of_the_larger_side() -> None:
    mine = [Ours(DAY, "p", "m", used(input=1000, output=999))]
    file = export(Line(DAY, "m", used(input=1001, output=1000)))
    assert invoices.compare(file, mine, Fraction(1, 1000)).rows[0].drifts == ()
    assert invoices.compare(file, mine, Fraction(1, 1001)).rows[0].drifts == ("output",)
    assert invoices.compare(file, mine, Fraction(1, 1002)).rows[0].drifts == ("input", "output")


def test_what_the_export_does_not_tell_is_not_judged() -> None:
    mine = [Ours(DAY, "p", "m", used(input=10, output=5, cost_nanos=3))]
    file = export(Line(DAY, "m", used(output=5)), tells="output")
    assert not invoices.compare(file, mine, NOTHING).drifts


counts = st.builds(Used, *[st.integers(0, 10**12)] * 6)
lines = st.lists(
    st.builds(Line, st.sampled_from([DAY, "2026-11-24"]), st.sampled_from(["a", "b"]), counts),
    min_size=1,
    max_size=8,
)


@given(lines, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_equal_sides_never_drift(rows: list[Line], random) -> None:
    mine = [Ours(line.day, "p", line.model, line.used) for line in rows]
    random.shuffle(mine)
    found = invoices.compare(export(*rows), mine, NOTHING)
    assert not found.drifts
    assert found.total.ours == found.total.theirs == sum((line.used for line in rows), Used())


@given(lines, lines, st.fractions(0, 1))
def test_differences_add_up_and_either_side_may_be_the_larger(
    first: list[Line], second: list[Line], tolerance: Fraction
) -> None:
    def against(one: list[Line], other: list[Line]) -> invoices.Comparison:
        mine = [Ours(line.day, "p", line.model, line.used) for line in one]
        return invoices.compare(export(*other), mine, tolerance, ["p"])

    there, back = against(first, second), against(second, first)
    assert [row.drifts for row in there.rows] == [row.drifts for row in back.rows]
    apart = sum(row.ours.cost_nanos - row.theirs.cost_nanos for row in there.rows)
    assert apart == there.total.ours.cost_nanos - there.total.theirs.cost_nanos
