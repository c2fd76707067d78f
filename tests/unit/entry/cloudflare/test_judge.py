"""What a Worker cannot do is refused by the setting's name; what it needs to be told is found."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.entry.cloudflare.judge import judge, secrets, unusable
from penstock.entry.known import known_models
from penstock.entry.routers import text_of
from penstock.entry.settings import today
from penstock.errors import Misconfigured
from penstock.routing import router

KNOWN = known_models(today())
OPENAI = '[providers.openai]\nkind = "openai"\napi_key = "${KEY}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('platform = "server"', "platform"),
        ('data = "/var/lib"', "data has no use"),
        ('[mail]\nhost = "h"', "mail has no use on Cloudflare: a Worker reaches no mail server"),
        (
            '[alerting.channels.a]\nkind = "slack"\nurl = "https://hooks.slack.com/x"',
            "alerting.channels.a.url stands in the file",
        ),
        (
            '[alerting.channels.a]\nkind = "webhook"\nurl = "http://127.0.0.1/x"',
            "alerting.channels.a.url is this machine's own",
        ),
        (
            f'[alerting.channels.a]\nkind = "webhook"\nurl = "https://x.test"\nsecret = "{"s" * 32}"',
            "alerting.channels.a.secret stands in the file",
        ),
        ('durability = "power"', "durability"),
        ('[stores]\nredis = "redis://host"', "stores"),
        ("[server]\nport = 80", "server.port"),
        ('[server]\nhost = "0.0.0.0"', "server.host"),
        ('[providers.mine]\nkind = "local"\npath = "/m"', "providers.mine.kind"),
        (
            '[providers.o]\nkind = "openai"\nbase_url = "http://localhost:11434/v1"',
            "providers.o.base_url",
        ),
        (
            '[providers.o]\nkind = "openai"\napi_key = "sk-1"',
            "providers.o.api_key stands in the file",
        ),
        (
            '[providers.o]\nkind = "openai"\ndeployments = [{ key = "${A}" }, { key = "sk-1" }]',
            "providers.o.deployments[1].key stands in the file",
        ),
        (
            '[[targets]]\nprovider = "o"\nmodel = "m"\ndeployments = [{ url = "http://127.0.0.1:1/v1" }]',
            "targets[0].deployments[0].url is this machine's own",
        ),
        (
            f'[tenant_keys]\nmaster = ["${{A}}", "{"s" * 32}"]',
            "tenant_keys.master[1] stands in the file",
        ),
        (f'[[auth.issuers]]\nsecret = "{"s" * 32}"', "auth.issuers[0].secret stands in the file"),
    ],
)
def test_what_cannot_work_there_names_its_setting(text, said):
    with pytest.raises(Misconfigured) as refused:
        judge(text, {}, KNOWN)
    assert said in refused.value.message
    assert "sk-1" not in refused.value.message


def test_all_of_it_is_told_at_once():
    raw = {"data": "x", "server": {"port": 1}, "providers": {"m": {"kind": "local"}}}
    assert len([*unusable(raw)]) == 3


def test_odd_shapes_are_left_to_the_decoder():
    assert [*unusable({"providers": 3, "server": [], "auth": {"issuers": {"a": 1}}})] == []
    with pytest.raises(Misconfigured, match="providers must be"):
        judge("providers = 3", {}, KNOWN)


def test_text_that_is_no_toml_names_its_line():
    with pytest.raises(Misconfigured, match="line 2"):
        judge("data = 1\na == 2", {}, KNOWN)


def test_without_a_file_it_is_the_environments():
    judged = judge(
        "", {"OPENAI_BASE_URL": "https://proxy.example/v1", "OPENAI_API_KEY": "k"}, KNOWN
    )
    assert judged.raw == {"platform": "cloudflare"}
    assert judged.required == ("JWT_SECRET",)
    assert judged.optional == ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PENSTOCK_MASTER_KEY")
    assert judged.variables == {"OPENAI_BASE_URL": "https://proxy.example/v1"}
    assert "openai" in judged.config.providers


def test_secrets_are_those_the_file_refers_to():
    text = OPENAI + '[providers.b]\nkind = "openai"\nbase_url = "${URL:-https://b.example/v1}"\n'
    judged = judge(text, {}, KNOWN)
    assert (judged.required, judged.optional) == (
        ("JWT_SECRET", "KEY"),
        ("PENSTOCK_MASTER_KEY", "URL"),
    )
    assert judged.raw["providers"]["openai"]["api_key"] == "${KEY}"


def test_what_the_file_refers_to_is_no_variable_beside():
    text = OPENAI + 'base_url = "${OPENAI_BASE_URL}"\n'
    judged = judge(text, {"OPENAI_BASE_URL": "https://proxy.example/v1"}, KNOWN)
    assert judged.variables == {}
    assert "OPENAI_BASE_URL" in judged.required


def test_a_webhook_of_billing_takes_a_secret_which_stands_in_no_file():
    raw: dict[str, Any] = {"services": {"billing": {}}}
    assert "STRIPE_WEBHOOK_SECRET" in secrets(raw)[1]
    named = judge("", {"BILLING_SERVICE_URL": "https://billing.example"}, KNOWN)
    assert "STRIPE_WEBHOOK_SECRET" in named.optional
    raw["billing"] = {"webhook_secrets": ["${MINE}"]}
    assert "STRIPE_WEBHOOK_SECRET" not in secrets(raw)[1]
    with pytest.raises(Misconfigured, match=r"webhook_secrets\[0\] stands in the file"):
        judge('[billing]\nwebhook_secrets = ["whsec_1"]\n', {}, KNOWN)


def test_an_issuer_of_its_own_needs_no_jwt_secret_and_dollars_are_no_references():
    raw = {"auth": {"issuers": [{"secret": "${MINE}"}]}, "providers": {"a": {"api_key": "$${NOT}"}}}
    assert secrets(raw) == (("MINE",), ("PENSTOCK_MASTER_KEY",))


def test_what_is_not_set_here_is_judged_by_what_stands_for_it():
    assert judge(OPENAI, {}, KNOWN).config.providers["openai"].api_key
    with pytest.raises(Misconfigured, match="PORT not set here"):
        judge('[cache]\nmax_bytes = "${PORT}"\n', {}, KNOWN)


def test_a_secret_that_is_set_is_judged_itself():
    with pytest.raises(Misconfigured, match="shorter than 32 bytes"):
        judge("", {"JWT_SECRET": "short"}, KNOWN)


def test_vectors_must_fit_the_index():
    assert judge(OPENAI, {}, KNOWN).dimension == 1_536
    text = (
        OPENAI
        + '[[targets]]\nprovider = "openai"\nmodel = "text-embedding-3-large"\nverb = "embed"\ndimension = 3072\n'
    )
    text += '[[targets]]\nprovider = "openai"\nmodel = "gpt-4o"\n[routes.embed]\ntargets = ["openai/text-embedding-3-large"]\n'
    longer = judge(text, {}, KNOWN)
    assert longer.dimension == 0
    assert "text-embedding-3-large is not set, or over 1536" in longer.embedder.why
    assert [note for note in longer.notes if note.startswith("documents: none are taken, since")]


def test_the_index_is_for_what_embeds_documents():
    text = OPENAI + (
        '[[targets]]\nprovider = "openai"\nmodel = "text-embedding-3-small"\nverb = "embed"\n'
        '[[targets]]\nprovider = "openai"\nmodel = "other"\nverb = "embed"\ndimension = 64\n'
        '[routes.embed]\ntargets = ["openai/text-embedding-3-small"]\n[rag]\nembedding = "openai/other"\n'
    )
    found = judge(text, {}, KNOWN)
    assert found.dimension == 64
    assert "documents: found by the vectors of openai/other" in found.notes


def test_without_a_model_that_embeds_there_is_no_index():
    found = judge('[providers.sandbox]\nkind = "sandbox"\n', {}, KNOWN)
    assert found.dimension == 0
    assert "without a model" in found.embedder.why


def test_a_learned_route_takes_its_router_along(tmp_path) -> None:
    given = (
        OPENAI
        + 'any_model = true\n[routes.auto]\npolicy = "learned"\nsimple = "openai/gpt-4o-mini"\n'
        'strong = "openai/gpt-4o"\n'
    )
    found = judge(given, {"KEY": "k"}, KNOWN)
    assert router.decode(found.raw["routes"]["auto"]["artefact"], "it").rows == 5_132
    assert found.config.routes["auto"].artefact == text_of("")
    (tmp_path / "bad").write_text("{}")
    with pytest.raises(router.InvalidRouter):
        judge(f'{given}model = "{tmp_path / "bad"}"\n', {"KEY": "k"}, KNOWN)


def test_a_channels_address_that_is_not_set_here_is_judged_as_one():
    text = '[alerting.channels.a]\nkind = "slack"\nurl = "${SLACK}"'
    judged = judge(text, {"JWT_SECRET": "s" * 32}, {})
    assert "SLACK" in judged.required
    text = '[alerting.channels.a]\nkind = "email"\nto = ["a@b.test"]'
    with pytest.raises(Misconfigured, match="a Worker reaches no mail server"):
        judge(text, {"JWT_SECRET": "s" * 32}, {})
