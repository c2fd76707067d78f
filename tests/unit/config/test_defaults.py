"""What a configuration is made of when little or nothing is configured."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import Config, Issuer, KnownModel, decode, defaults
from penstock.config.environment import ollama_url
from penstock.errors import Misconfigured

OPENAI = {"OPENAI_API_KEY": "key-one"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "key-two"}
CLOUDFLARE = {"CLOUDFLARE_ACCOUNT_ID": "acc", "CLOUDFLARE_API_TOKEN": "key-three"}
OLLAMA = {"OLLAMA_HOST": "box:1234"}
LOCAL = {"PENSTOCK_LOCAL_MODEL": "/models/minilm/"}
GRANITE = "cloudflare/@cf/ibm-granite/granite-4.0-h-micro"
LLAMA = "cloudflare/@cf/meta/llama-3.1-8b-instruct-fp8-fast"
BGE = "cloudflare/@cf/baai/bge-base-en-v1.5"
HASHED = "hashed/hashed-lexical-384"
FREE = ("sandbox/granite-4.0-h-micro", "sandbox/llama-3.1-8b-instruct-fp8-fast", "sandbox/gpt-4o")


def made(config, env, known=None):
    whole, notes = defaults(config, env, known)
    auto = whole.routes["auto"]
    return whole, notes, (auto.simple, auto.medium, auto.strong), whole.routes["embed"].targets


@pytest.mark.parametrize(
    ("env", "auto", "embed"),
    [
        ({}, FREE, HASHED),
        (LOCAL, FREE, "local/minilm"),
        (
            OPENAI,
            ("openai/gpt-4o-mini", "openai/gpt-4o-mini", "openai/gpt-4o"),
            "openai/text-embedding-3-small",
        ),
        (
            ANTHROPIC,
            (
                "anthropic/claude-haiku-4-5",
                "anthropic/claude-haiku-4-5",
                "anthropic/claude-sonnet-4-6",
            ),
            HASHED,
        ),
        (CLOUDFLARE, (GRANITE, LLAMA, LLAMA), BGE),
        (OLLAMA, ("ollama/llama3.2",) * 3, "ollama/nomic-embed-text"),
        (OPENAI | LOCAL, ("openai/gpt-4o-mini",) * 2 + ("openai/gpt-4o",), "local/minilm"),
        (
            OPENAI | ANTHROPIC,
            ("openai/gpt-4o-mini",) * 2 + ("openai/gpt-4o",),
            "openai/text-embedding-3-small",
        ),
        (
            ANTHROPIC | OLLAMA,
            ("ollama/llama3.2",) * 2 + ("anthropic/claude-sonnet-4-6",),
            "ollama/nomic-embed-text",
        ),
        (CLOUDFLARE | OPENAI | ANTHROPIC, (GRANITE, LLAMA, "openai/gpt-4o"), BGE),
        (
            CLOUDFLARE | ANTHROPIC | OLLAMA | LOCAL,
            (GRANITE, LLAMA, "anthropic/claude-sonnet-4-6"),
            BGE,
        ),
    ],
)
def test_auto_and_embed_follow_from_the_environment(env, auto, embed):
    config, notes, found, vectors = made(None, env)
    assert found == auto
    assert vectors == (embed,)
    assert config.routes["auto"].policy == "heuristic"
    assert config.routes["embed"].cache.ttl == 604_800
    assert config.aliases["@cf/meta/llama-2-7b-chat-int8"] == auto[0]
    assert config.aliases["@cf/mistral/mistral-7b-instruct-v0.1"] == auto[1]
    assert f"auto: simple {auto[0]}, medium {auto[1]}, strong {auto[2]}" in notes
    assert f"embed: {embed}" in notes
    assert ("sandbox" in config.providers) == any("the sandbox gives" in note for note in notes)


EACH = [OPENAI, ANTHROPIC, CLOUDFLARE, OLLAMA, LOCAL]


@pytest.mark.parametrize("chosen", [c for n in range(6) for c in combinations(range(5), n)])
def test_every_combination_stands_and_shows_no_key(chosen):
    env = {name: value for at in chosen for name, value in EACH[at].items()}
    config, notes, auto, embed = made(None, env)
    names = {target.name for target in config.targets}
    assert {*auto, *embed} <= names
    assert "key-" not in "".join(notes)
    assert all(f"provider {name}: " in "\n".join(notes) for name in config.providers)


def test_providers_of_the_environment():
    bases = {
        "OPENAI_BASE_URL": "http://user:pw@127.0.0.1:1/v1/",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:2",
        "CLOUDFLARE_BASE_URL": "http://127.0.0.1:3/client/v4",
    }
    config, notes = defaults(None, OPENAI | ANTHROPIC | CLOUDFLARE | OLLAMA | LOCAL | bases)
    openai, anthropic, cloudflare, ollama, local = config.providers.values()
    assert (openai.kind, openai.base_url, openai.api_key) == (
        "openai",
        "http://user:pw@127.0.0.1:1/v1",
        "key-one",
    )
    assert (anthropic.kind, anthropic.base_url) == ("anthropic", "http://127.0.0.1:2")
    assert (cloudflare.kind, cloudflare.account, cloudflare.api_key) == (
        "workers_ai",
        "acc",
        "key-three",
    )
    assert (cloudflare.base_url, cloudflare.free_neurons_per_day) == (
        "http://127.0.0.1:3/client/v4",
        10_000,
    )
    assert (ollama.kind, ollama.any_model, ollama.base_url) == (
        "openai",
        True,
        "http://box:1234/v1",
    )
    assert (local.kind, local.path) == ("local", "/models/minilm/")
    assert "provider openai: openai at http://127.0.0.1:1/v1, 3 targets" in notes
    assert "pw" not in "".join(notes)


def test_vendors_own_addresses_without_overrides():
    config, _ = defaults(None, OPENAI | ANTHROPIC | CLOUDFLARE)
    assert [provider.base_url for provider in config.providers.values()] == [
        "https://api.openai.com/v1",
        "https://api.anthropic.com",
        "https://api.cloudflare.com/client/v4",
    ]


def test_ollamas_models_by_name():
    env = OLLAMA | {"OLLAMA_MODEL": "qwen3", "OLLAMA_EMBED_MODEL": "bge-m3"}
    _, _, auto, embed = made(None, env)
    assert auto == ("ollama/qwen3",) * 3
    assert embed == ("ollama/bge-m3",)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("box", "http://box:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":5000", "http://127.0.0.1:5000/v1"),
        ("http://box:1", "http://box:1/v1"),
        ("http://box:1/", "http://box:1/v1"),
        ("http://box:1/v1", "http://box:1/v1"),
        ("https://ollama.example.com", "https://ollama.example.com/v1"),
        ("https://example.com/ollama/", "https://example.com/ollama/v1"),
        ("[::1]:7", "http://[::1]:7/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("[::]:7", "http://127.0.0.1:7/v1"),
    ],
)
def test_ollama_host_in_all_its_forms(host, url):
    assert ollama_url(host) == url


def test_a_wrong_ollama_host_is_refused_not_crashed_on():
    with pytest.raises(Misconfigured, match=r"^providers\.ollama\.base_url is no http"):
        defaults(None, {"OLLAMA_HOST": "http://box:port"})


@given(
    st.dictionaries(
        st.sampled_from(
            sorted(
                {*OPENAI, *ANTHROPIC, *CLOUDFLARE, *OLLAMA, *LOCAL, "OPENAI_BASE_URL", "JWT_SECRET"}
            )
        ),
        st.text(),
    )
)
def test_any_environment_stands_or_is_refused(env):
    try:
        config, _ = defaults(None, env)
    except Misconfigured:
        return
    assert {"auto", "embed"} <= set(config.routes)


KNOWN = {
    "openai": [
        KnownModel("gpt-4o-mini", context=9, max_output=100, images=True),
        KnownModel("gpt-4o", max_output=16_384),
        KnownModel("text-embedding-3-small", verb="embed", dimension=1536),
    ],
    "anthropic": [KnownModel("claude-haiku-4-5"), KnownModel("claude-sonnet-4-6")],
    "workers_ai": [
        KnownModel("@cf/ibm-granite/granite-4.0-h-micro", tools=False),
        KnownModel("@cf/meta/llama-3.1-8b-instruct-fp8-fast"),
        KnownModel("@cf/baai/bge-base-en-v1.5", verb="embed", dimension=768),
    ],
}


def test_targets_come_from_the_price_table():
    config, _ = defaults(None, OPENAI, KNOWN)
    mini, strong, vectors = config.targets
    assert (mini.name, mini.context, mini.default_max_output) == ("openai/gpt-4o-mini", 9, 100)
    assert strong.default_max_output == 4096
    assert (vectors.verb, vectors.dimension) == ("embed", 1536)


def test_the_sandbox_stands_for_every_known_model():
    config, _, auto, _ = made(None, {}, KNOWN)
    targets = {target.name: target for target in config.targets}
    assert auto == FREE
    assert targets["sandbox/gpt-4o"].stands_for == "openai/gpt-4o"
    granite = targets["sandbox/granite-4.0-h-micro"]
    assert granite.stands_for == "workers_ai/@cf/ibm-granite/granite-4.0-h-micro"
    assert not granite.tools
    assert targets["sandbox/text-embedding-3-small"].dimension == 1536
    assert targets[HASHED].dimension == 384
    assert config.aliases["@cf/baai/bge-base-en-v1.5"] == "sandbox/bge-base-en-v1.5"


def test_the_file_wins_over_the_environment():
    text = f"[providers.mine]\nkind='anthropic'\napi_key='k'\n[[auth.issuers]]\nsecret='{'a' * 32}'"
    config, notes, auto, _ = made(decode(text, {}), OPENAI | {"JWT_SECRET": "b" * 32})
    assert set(config.providers) == {"mine", "hashed"}
    assert auto[2] == "mine/claude-sonnet-4-6"
    assert config.auth.issuers == (Issuer(secret="a" * 32),)
    assert not any("warning" in note for note in notes)


def test_a_file_without_providers_takes_the_environments():
    config, _ = defaults(decode("[server]\nport = 1", {}), OPENAI)
    assert set(config.providers) == {"openai"}
    assert config.server.port == 1


def test_parts_that_are_given_are_kept():
    text = """
    [providers.openai]
    kind = "openai"
    api_key = "k"
    [routes.auto]
    strong = "openai/gpt-4o-mini"
    auth = "optional"
    [routes.embed]
    cache = { shared = true }
    [aliases]
    "@cf/meta/llama-2-7b-chat-int8" = "openai/gpt-4o"
    """
    config, _, auto, embed = made(decode(text, {}), {})
    assert auto == ("openai/gpt-4o-mini",) * 3
    assert config.routes["auto"].auth == "optional"
    assert embed == ("openai/text-embedding-3-small",)
    assert config.routes["embed"].cache.shared
    assert config.aliases["@cf/meta/llama-2-7b-chat-int8"] == "openai/gpt-4o"


def test_a_fixed_auto_is_left_as_it_is():
    text = "[providers.openai]\nkind='openai'\n[routes.auto]\npolicy='fixed'\ntargets=['openai/gpt-4o']"
    config, notes = defaults(decode(text, {}), {})
    assert config.routes["auto"].targets == ("openai/gpt-4o",)
    assert config.aliases["@cf/meta/llama-2-7b-chat-int8"] == "auto"
    assert "auto: openai/gpt-4o" in notes


def test_a_provider_that_takes_any_model_makes_the_targets_routes_name():
    text = """
    [providers.groq]
    kind = "openai"
    base_url = "https://api.groq.com/openai/v1"
    any_model = true
    [routes.fast]
    targets = ["groq/vendor/llama"]
    [aliases]
    tiny = "groq/tiny"
    """
    config, _, auto, embed = made(decode(text, {}), {})
    assert [target.name for target in config.targets][:2] == ["groq/vendor/llama", "groq/tiny"]
    assert auto == ("groq/vendor/llama",) * 3
    assert embed == (HASHED,)


def test_somebody_elses_api_gets_no_vendors_models():
    text = "[providers.groq]\nkind='openai'\nbase_url='https://api.groq.com/openai/v1'"
    config, notes = defaults(decode(text, {}), {})
    assert [target.provider for target in config.targets] == ["hashed"]
    assert "auto" not in config.routes
    warnings = [note for note in notes if note.startswith("warning: ")]
    assert warnings == [
        "warning: no target can chat, so there is no route auto; configure a provider",
        "warning: provider groq has no targets; name them under targets, or set any_model = true",
    ]


def test_a_provider_named_hashed_is_not_replaced():
    text = "[providers.hashed]\nkind='anthropic'\napi_key='k'"
    config, _ = defaults(decode(text, {}), {})
    assert config.providers["hashed"].kind == "anthropic"
    assert "embed" not in config.routes


def test_jwt_secret_makes_an_issuer():
    config, notes = defaults(None, {"JWT_SECRET": "x" * 32})
    assert config.auth.issuers == (Issuer(mode="hs256", secret="x" * 32),)
    assert "tokens: hs256 without iss" in notes
    assert "x" * 32 not in "".join(notes)


def test_a_weak_jwt_secret_refuses_to_start():
    with pytest.raises(Misconfigured, match=r"^JWT_SECRET is shorter than 32 bytes; make one"):
        defaults(None, {"JWT_SECRET": "x" * 31})


def test_without_an_issuer_the_development_one_is_announced():
    _, notes = defaults(None, {})
    assert "tokens: a development issuer, its secret made on first run (`penstock token`)" in notes


@pytest.mark.parametrize("name", ["auth", "chat", "billing"])
def test_the_environment_names_services(name):
    env = {f"{name.upper()}_SERVICE_URL": "http://user-service:3001/"}
    config, notes = defaults(None, env)
    [backend] = config.services[name].backends
    assert (backend.url, backend.weight, backend.health) == (
        "http://user-service:3001",
        100,
        "/health",
    )
    assert not [note for note in notes if note.startswith(f"warning: {name.upper()}_SERVICE")]
    assert any(note.startswith(f"service {name}: /api/{name}") for note in notes)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"),
        ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"),
    ],
)
def test_half_a_provider_is_a_warning(name, lacking):
    config, notes = defaults(None, {name: "value", lacking: ""})
    assert f"warning: {name} is set without {lacking}; it is not used" in notes
    assert set(config.providers) == {"sandbox", "hashed"}


def test_the_data_directory():
    assert defaults(None, {})[0].data == "./.penstock"
    assert defaults(None, {"PENSTOCK_DATA": "/var/p"})[0].data == "/var/p"
    assert defaults(Config(data="/mine"), {"PENSTOCK_DATA": "/var/p"})[0].data == "/mine"


def test_tiers_and_limits_are_whole_without_a_file():
    config, _ = defaults(None, {})
    assert set(config.tiers) == {"free", "pro", "enterprise"}
    assert set(config.limits) == {"chat", "rag", "other", "register", "login"}


EDGE = Config(platform="cloudflare")


def test_a_worker_has_its_bound_models_without_a_key():
    whole, notes, auto, embed = made(EDGE, {})
    assert auto == (GRANITE, LLAMA, LLAMA)
    assert embed == (BGE,)
    bound = whole.providers["cloudflare"]
    assert (bound.account, bound.api_key, bound.free_neurons_per_day) == ("", "", 10_000)
    assert not [note for note in notes if note.startswith("warning")]


def test_a_workers_environment_may_name_the_account_all_the_same():
    whole, *_ = made(EDGE, CLOUDFLARE)
    assert whole.providers["cloudflare"].account == "acc"


def test_models_are_bound_to_a_worker_alone():
    unnamed = "[providers.mine]\nkind = 'workers_ai'\n"
    defaults(decode("platform = 'cloudflare'\n" + unnamed, {}), {})
    with pytest.raises(Misconfigured, match=r"providers\.mine\.api_key is empty"):
        defaults(decode(unnamed, {}), {})
