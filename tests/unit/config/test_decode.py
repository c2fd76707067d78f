"""TOML text → values: what is taken, and what each refusal says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from penstock.config import Limit, Target, Tier, decode
from penstock.config.standing import TIERS
from penstock.errors import Misconfigured

SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"
ENV = {"SECRET": SECRET, "PORT": "9000", "YES": "True", "HALF": "0.5"}


def refusal(text):
    with pytest.raises(Misconfigured) as raised:
        decode(text, ENV)
    assert "\n" not in raised.value.message
    assert SECRET not in raised.value.message
    return raised.value.message


def taken_or_said(text):
    try:
        decode(text, {})
    except Misconfigured as error:
        return error.message
    return "taken"


def test_a_whole_file():
    config = decode(
        """
        durability = "power"
        [server]
        port = "${PORT}"
        trusted_proxies = ["10.0.0.0/8"]
        docs = "${YES}"
        [[auth.issuers]]
        secret = "${SECRET}"
        [providers.main]
        kind = "openai"
        base_url = "${BASE:-https://example.com/v1}"
        api_key = "Bearer ${SECRET}"
        [[targets]]
        provider = "main"
        model = "m"
        context = 1000
        [routes.auto]
        policy = "fixed"
        targets = ["main/m"]
        cache = { shared = true }
        timeouts = { connect = "${HALF}", idle = 2 }
        [aliases]
        "m.1" = "auto"
        """,
        ENV,
    )
    assert config.durability == "power"
    assert (config.server.port, config.server.docs) == (9000, True)
    assert config.auth.issuers[0].secret == SECRET
    assert config.providers["main"].base_url == "https://example.com/v1"
    assert config.providers["main"].api_key == f"Bearer {SECRET}"
    assert config.targets == (Target(provider="main", model="m", context=1000),)
    assert config.routes["auto"].cache.shared
    assert config.routes["auto"].cache.ttl == 3600
    assert config.routes["auto"].timeouts.connect == 0.5
    assert config.routes["auto"].timeouts.idle == 2
    assert config.aliases == {"m.1": "auto"}


def test_an_empty_file_has_the_default_tiers_and_limits():
    config = decode("", {})
    assert config.tiers["pro"] == Tier(
        requests_per_hour=1000,
        scale=10,
        embedding_batch=50,
        documents=100,
        document_bytes=500 << 10,
    )
    assert config.tiers["enterprise"] == Tier(
        requests_per_hour=10_000,
        scale=100,
        embedding_batch=100,
        documents=1_000,
        document_bytes=5 << 20,
    )
    assert config.limits == {
        "chat": Limit(100, 3600, "tier"),
        "rag": Limit(50, 3600, "tier"),
        "other": Limit(200, 3600, "tier"),
        "register": Limit(5, 3600, "none"),
        "login": Limit(10, 900, "none"),
    }


def test_partial_tables_are_laid_over_the_defaults():
    config = decode(
        """
        limits = { chat = "7/2min", login = { requests = 3 }, register = "1/d" }
        [tiers.pro]
        embedding_batch = 60
        [tiers.gold]
        scale = 5
        """,
        {},
    )
    assert config.tiers["pro"] == structs.replace(TIERS["pro"], embedding_batch=60)
    assert config.tiers["gold"] == Tier(scale=5)
    assert config.tiers["free"] == Tier()
    assert config.limits["chat"] == Limit(7, 120, "tier")
    assert config.limits["login"] == Limit(3, 900, "none")
    assert config.limits["register"] == Limit(1, 86_400, "none")


def test_routes_learn_from_their_names():
    text = "[routes.auto]\nsimple='a/b'\n[routes.embed]\n[routes.v]\nverb='embed'\ncache={ttl=5}"
    routes = decode(text, {}).routes
    assert routes["auto"].policy == "heuristic"
    assert (routes["embed"].verb, routes["embed"].cache.ttl) == ("embed", 604_800)
    assert routes["v"].cache.ttl == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 1", "server.prot is no setting; the nearest is server.port"),
        ("port = 1", "port is no setting; the nearest is server.port"),
        ("prot = 1", "prot is no setting; the nearest is server.port"),
        (
            "[providers.a]\nkind='openai'\napi_kye='x'",
            "providers.a.api_kye is no setting; the nearest is providers.a.api_key",
        ),
        (
            "[[targets]]\nprovider='a'\nmodle='x'",
            "targets[0].modle is no setting; the nearest is targets[0].model",
        ),
        (
            "[routes.x.timeouts]\nconect = 1",
            "routes.x.timeouts.conect is no setting; the nearest is routes.x.timeouts.connect",
        ),
        (
            "[providers.a]\nkind='openai'\nleeway_seconds=1",
            "providers.a.leeway_seconds is no setting; the nearest is auth.leeway_seconds",
        ),
        ("limits = { caht = '1/h' }", "limits.caht is no setting; the nearest is limits.chat"),
        ('"a b" = 1', '"a b" is no setting; the nearest is '),
        ('"a\\nb" = 1', '"a\\nb" is no setting; the nearest is '),
    ],
)
def test_an_unknown_key_names_the_nearest(text, said):
    assert refusal(text).startswith(said)


@given(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.sampled_from(["", "[server]\n"]))
def test_any_unknown_key_gets_a_nearest_one(key, section):
    said = taken_or_said(f"{section}{key} = []")
    assert said == "taken" or "the nearest is" in said or "must be" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[server]\nport = 'hunter2'",
            "server.port must be an integer from 0 to 65535, and is a string; change it",
        ),
        ("[server]\nport = 70000", "server.port must be an integer from 0 to 65535; change it"),
        (
            "[server]\nport = true",
            "server.port must be an integer from 0 to 65535, and is true or false; change it",
        ),
        (
            "[server]\nport = '${SECRET}'",
            "server.port must be an integer from 0 to 65535; its reference gives another value",
        ),
        ("[server]\ndocs = 1", "server.docs must be true or false, and is an integer; change it"),
        (
            "[server]\ndocs = '${SECRET}'",
            "server.docs must be true or false; its reference gives another value",
        ),
        ("data = 1", "data must be a string, and is an integer; change it"),
        ("data = 2020-01-01", "data must be a string, and is a date or time; change it"),
        ("platform = 'x'", "platform must be one of cloudflare, embedded, server; change it"),
        (
            "platform = '${SECRET}'",
            "platform must be one of cloudflare, embedded, server; its reference gives another value",
        ),
        (
            "platform = 3",
            "platform must be one of cloudflare, embedded, server, and is an integer; change it",
        ),
        ("server = []", "server must be a table, and is a list; change it"),
        ("targets = {}", "targets must be a list of tables, and is a table; change it"),
        (
            "[server]\ntrusted_proxies = '10.0.0.1'",
            "server.trusted_proxies must be a list of strings, and is a string; change it",
        ),
        (
            "[cors]\norigins = ['http://a', 1]",
            "cors.origins[1] must be a string, and is an integer; change it",
        ),
        ("[tiers.pro]\nscale = 0", "tiers.pro.scale must be an integer above 0; change it"),
        ("[cache]\nmax_bytes = -1", "cache.max_bytes must be an integer above 0; change it"),
        (
            "[auth]\nleeway_seconds = -1",
            "auth.leeway_seconds must be an integer, 0 or more; change it",
        ),
        (
            "[tiers.free]\nscale = 1" + "0" * 30,
            "tiers.free.scale must be an integer above 0; change it",
        ),
        (
            "[routes.a.timeouts]\ntotal = 0",
            "routes.a.timeouts.total must be a number above 0; change it",
        ),
        (
            "[routes.a.timeouts]\ntotal = nan",
            "routes.a.timeouts.total must be a number above 0; change it",
        ),
        ("[providers.a]\n", "providers.a.kind is missing; add it"),
        ("[[targets]]\nmodel = 'm'", "targets[0].provider is missing; add it"),
        (
            "limits = { chat = 'often' }",
            "limits.chat is not a rate; write it as 100/h, 10/15min or 5/s,"
            " or as a table with requests and window",
        ),
        ("limits = { chat = '0/h' }", "limits.chat admits nothing; its numbers must be above 0"),
        ("limits = { chat = 5 }", "limits.chat must be a table, and is an integer; change it"),
        ("a = ", "the file is not TOML: "),
        ("a = 1\na = 2", "the file is not TOML: "),
    ],
)
def test_a_wrong_value_names_its_path_and_never_its_value(text, said):
    message = refusal(text)
    assert message.startswith(said)
    assert "hunter2" not in message


@given(st.text(max_size=60))
def test_any_text_is_decoded_or_refused(text):
    assert taken_or_said(text)
