"""References to the environment in a setting's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.expand import expand
from penstock.errors import Misconfigured

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="${}"), max_size=20)


@given(st.text().filter(lambda text: "${" not in text), st.dictionaries(NAMES, st.text()))
def test_text_without_a_reference_is_unchanged(text, env):
    assert expand(text, env, "x") == text


@given(NAMES, st.text(), PLAIN, PLAIN)
def test_a_value_goes_in_as_it_is_and_is_not_read_again(name, value, before, after):
    assert expand(f"{before}${{{name}}}{after}", {name: value}, "x") == before + value + after


@given(PLAIN, NAMES, PLAIN, st.dictionaries(NAMES, st.text()))
def test_only_the_named_variable_is_read(before, name, fallback, others):
    env = Recorded({key: value for key, value in others.items() if key != name})
    assert expand(f"{before}${{{name}:-{fallback}}}", env, "x") == before + fallback
    assert env.asked <= {name}


class Recorded(dict):
    """An environment that remembers what it was asked for, and cannot be listed."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = set()

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)

    def __iter__(self):
        raise AssertionError("listed")

    keys = items = values = __iter__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("${A}-${A}", "one-one"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$$${A}", "$one"),
        ("pa$$word", "pa$$word"),
        ("pa$word ${A}", "pa$word one"),
    ],
)
def test_forms(text, expected):
    assert expand(text, {"A": "one", "EMPTY": ""}, "x") == expected


def test_a_variable_that_is_not_set_is_named_with_the_setting():
    with pytest.raises(Misconfigured) as raised:
        expand("${OPENAI_KEY}", {}, "providers.openai.api_key")
    assert raised.value.message == (
        "providers.openai.api_key: the environment variable OPENAI_KEY is not set;"
        " set it, or write ${OPENAI_KEY:-default}"
    )


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A", "a${A-b}", "${Ä}"])
def test_a_broken_reference_is_refused(text):
    with pytest.raises(Misconfigured, match=r"^x: `\$\{` opens no reference; write"):
        expand(text, {"A": "hunter2"}, "x")
