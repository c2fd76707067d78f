"""Whether the parts of a configuration fit each other: every refusal, and what it says."""

from __future__ import annotations

import pytest

from penstock.config import decode, defaults
from penstock.errors import Misconfigured

SECRET = "s" * 32
PROVIDERS = """
[providers.openai]
kind = "openai"
api_key = "k"
[[targets]]
provider = "openai"
model = "gpt-4o"
[[targets]]
provider = "openai"
model = "text-embedding-3-small"
verb = "embed"
"""
JWKS = "[[auth.issuers]]\nmode='jwks'\nissuer='https://i'\naudience='a'\njwks_url='https://i/k'\n"


def refusal(text):
    with pytest.raises(Misconfigured) as raised:
        defaults(decode(text, {}), {})
    return raised.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nhost=' '", "server.host is empty; write 127.0.0.1"),
        ("data = ''", "data is empty; name the directory"),
        (
            "[server]\ntrusted_proxies=['10.0.0.0/8','proxy']",
            "server.trusted_proxies[1] is no address or network; write it as 10.0.0.0/8",
        ),
        (
            "[[auth.issuers]]\nsecret='hunter2'",
            "auth.issuers[0].secret is shorter than 32 bytes; make one by `openssl rand -hex 32`",
        ),
        ("[[auth.issuers]]\n", "auth.issuers[0].secret is shorter than 32 bytes"),
        (JWKS.replace("'https://i'", "''"), "auth.issuers[0].issuer is empty; a jwks issuer"),
        (JWKS.replace("'a'", "''"), "auth.issuers[0].audience is empty; a jwks issuer"),
        (JWKS + "algorithms = []", "auth.issuers[0].algorithms is empty; name RS256"),
        (
            JWKS + "algorithms = ['HS256']",
            "auth.issuers[0].algorithms[0] must be one of ES256, EdDSA, RS256; change it",
        ),
        (JWKS.replace("https://i/k", "http://i/k"), "auth.issuers[0].jwks_url is no https address"),
        (JWKS.replace("https://i/k", ""), "auth.issuers[0].jwks_url is no https address"),
        (JWKS.replace("https://i/k", "https://[i"), "auth.issuers[0].jwks_url is no https"),
        ("[cors]\norigins=['*']", "cors.origins[0] has a `*`; credentials are allowed"),
        ("[cors]\norigins=['https://*.a.com']", "cors.origins[0] has a `*`"),
        ("[cors]\norigins=['https://a.com/']", "cors.origins[0] is no origin; write it as"),
        ("[cors]\norigins=['a.com']", "cors.origins[0] is no origin"),
        ("[cors]\norigins=['https://a.com:x']", "cors.origins[0] is no origin"),
        (
            "[providers.'a/b']\nkind='sandbox'",
            'providers."a/b" is no name; use letters, digits, dot, dash and underscore',
        ),
        ("[tiers.' ']\n", 'tiers." " is no name'),
        ("[mail]\nport=25", "mail.host is empty; name the mail server"),
        ("[mail]\nhost='a b'", "mail.host is no host; write it as smtp.example.com"),
        (
            "[mail]\nhost='h'\nsender='us@h.test'\nuser='me'\npassword='gehe\u00efm'",
            "mail.user or mail.password has letters beyond ASCII",
        ),
        ("[mail]\nhost='h'\nsender='Us <us@h>'", "mail.sender is no address; write it as"),
        ("[mail]\nhost='h'\nsender='us@h'\nuser='u'", "mail.user and mail.password go together"),
        (
            "[mail]\nhost='h'\nsender='us@h'\nuser='u'\npassword='p'\nsecurity='none'",
            'mail.security is none, and a password would go in clear; write "starttls" or "tls"',
        ),
        (
            "[providers.a]\nkind='openai'\nbase_url='example.com'",
            "providers.a.base_url is no http or https address; write it as https://host/v1",
        ),
        (
            "[providers.a]\nkind='openai'\nbase_url='https://exa mple.com'",
            "providers.a.base_url is no http",
        ),
        (
            "[providers.a]\nkind='anthropic'",
            "providers.a.api_key is empty; kind anthropic needs one, best written ${VAR}",
        ),
        (
            "[providers.a]\nkind='workers_ai'\napi_key='k'",
            "providers.a.account is empty; name the Cloudflare account's id",
        ),
        ("[providers.a]\nkind='local'", "providers.a.path is empty; name the directory"),
        (
            "[providers.a]\nkind='local'\npath='/a'\n[providers.b]\nkind='local'\npath='/b'",
            "providers.b is a second provider of kind local; one process runs one model",
        ),
        (
            PROVIDERS.replace("provider = ", "provider = 'openia' #", 1),
            "targets[0].provider names no provider; the nearest is openai",
        ),
        ("[[targets]]\nprovider='x'\nmodel='m'", "targets[0].provider names no provider; the near"),
        (PROVIDERS + "[[targets]]\nprovider='openai'\nmodel=''", "targets[2].model is empty; name"),
        (
            PROVIDERS + "[[targets]]\nprovider='openai'\nmodel='gpt-4o'",
            "targets[2] names openai/gpt-4o again; remove one of the two",
        ),
        (
            "[providers.h]\nkind='hashed'\n[[targets]]\nprovider='h'\nmodel='m'",
            'targets[0] is for chat, and kind hashed only embeds; set verb = "embed"',
        ),
        (
            "[providers.a]\nkind='anthropic'\napi_key='k'\n"
            "[[targets]]\nprovider='a'\nmodel='m'\nverb='embed'",
            "targets[0] is for embed, and kind anthropic only chats; remove it",
        ),
        (
            PROVIDERS + "[routes.x]\ntargets=['openai/gpt-4']",
            "routes.x.targets[0] names no target; the nearest is openai/gpt-4o",
        ),
        (PROVIDERS + "[routes.x]\n", "routes.x.targets is empty; name at least one target"),
        (
            PROVIDERS + "[routes.x]\npolicy='heuristic'\nsimple='openai/gpt-4o'",
            "routes.x.medium is empty; policy heuristic needs a target there",
        ),
        (
            PROVIDERS + "[routes.x]\npolicy='heuristic'\nverb='embed'",
            "routes.x.policy heuristic reads messages; for embed set fixed",
        ),
        (
            PROVIDERS + "[routes.auto]\nstrong='openai/text-embedding-3-small'",
            "routes.auto.strong names openai/text-embedding-3-small, which is for embed;"
            " name a target for chat",
        ),
        (
            PROVIDERS + "[routes.embed]\ntargets=['openai/gpt-4o']",
            "routes.embed.targets[0] names openai/gpt-4o, which is for chat; name a target for",
        ),
        (
            PROVIDERS + "[aliases]\nsmall='openai/gpt-4o-mini'",
            "aliases.small names no target; the nearest is openai/gpt-4o",
        ),
        (PROVIDERS + "[aliases]\nsmall='autoo'", "aliases.small names no target; the nearest is "),
    ],
)
def test_what_does_not_fit_is_named_with_its_mend(text, said):
    message = refusal(text)
    assert message.startswith(said)
    assert "hunter2" not in message
    assert ";" in message


@pytest.mark.parametrize(
    "text",
    [
        JWKS,
        JWKS.replace("https://i/k", "http://127.0.0.1:9/k"),
        f"[[auth.issuers]]\nsecret='{SECRET}'",
        "[cors]\norigins=[]",
        "[cors]\norigins=['https://a.com:8443','http://localhost:3000']",
        "[server]\ntrusted_proxies=['10.0.0.1/8','::1','fd00::/8']\nport=0",
        PROVIDERS + "[aliases]\nsmall='openai/gpt-4o'\nother='auto'\nvec='embed'",
    ],
)
def test_what_fits_is_taken(text):
    config, _ = defaults(decode(text, {}), {})
    assert {"auto", "embed"} <= set(config.routes)
