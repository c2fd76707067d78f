"""The published schema and the decoder agree."""

from __future__ import annotations

import tomllib

import jsonschema_rs
import pytest

from penstock.config import decode
from penstock.config.catalog import settings
from penstock.config.schema import meaning, schema
from penstock.errors import Misconfigured

VALIDATOR = jsonschema_rs.validator_for(schema())


def test_every_setting_has_a_meaning():
    assert [setting.path for setting in settings() if not meaning(setting).endswith(".")] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "platform = 'embedded'",
        "platform = '${P:-embedded}'",
        "[server]\nport = '${PORT:-1}'\ndocs = '${DOCS:-true}'",
        "limits = { chat = '10/15min', rag = { requests = 3 }, other = { window = 60 } }",
        "[providers.a]\nkind = 'openai'\n[[targets]]\nprovider = 'a'\nmodel = 'm'\n"
        "[routes.x]\ntargets = ['a/m']\ntimeouts = { idle = 1.5 }",
    ],
)
def test_what_is_taken_is_valid(text):
    decode(text, {})
    assert list(VALIDATOR.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "prot = 1",
        "platform = 'x'",
        "[server]\nport = '1'",
        "[server]\nport = 70000",
        "limits = { chat = 'often' }",
        "[[targets]]\nmodel = 'm'",
        "[tiers.free]\nscale = 0",
        "[routes.x.timeouts]\nidle = 0",
    ],
)
def test_what_is_refused_is_not_valid(text):
    with pytest.raises(Misconfigured):
        decode(text, {})
    assert not VALIDATOR.is_valid(tomllib.loads(text))


def test_every_setting_describes_itself():
    for section in schema()["$defs"].values():
        for field in section.get("properties", {}).values():
            assert field["description"]
