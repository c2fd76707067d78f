"""The pages of docs/reference that follow from the code; `python -m tests.reference` writes them anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import NODEFAULT, Struct

from penstock.config.catalog import Setting, default, due, settings
from penstock.config.schema import meanings, schema
from penstock.config.standing import LIMITS, TIERS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"

OPENING = """# Configuration

Every setting of `penstock.toml`. The file is the one named by `--config`, else by `PENSTOCK_CONFIG`, else
`./penstock.toml` where it exists; without a file everything below has its default, and the providers are those that
the [environment](#environment) names. `penstock check` says what would run, or what is wrong and how to mend it.

`${VAR}` in any string is replaced by the environment variable, `${VAR:-default}` has a default for when it is unset
or empty, and in a string with such a reference `$$` stands for a dollar sign. A number or truth value may be given
so too: `port = "${PORT}"`. Keys that are not listed here are errors. Editors can check the file while it is written:
`penstock check --schema` prints its JSON Schema ([penstock.schema.json](penstock.schema.json)), and the first line
`#:schema ./penstock.schema.json` names it to them.

<!-- The tables are written by `python -m tests.reference` from src/penstock/config/values.py; edit the docstrings there. -->
"""

CLOSING = """
## Environment

Read where the file names no providers (or issuers); an empty variable counts as unset.

| variable | what it does |
|---|---|
| `OPENAI_API_KEY` | provider `openai`; `OPENAI_BASE_URL` points it elsewhere (default `https://api.openai.com/v1`) |
| `ANTHROPIC_API_KEY` | provider `anthropic`; `ANTHROPIC_BASE_URL` points it elsewhere (default `https://api.anthropic.com`) |
| `CLOUDFLARE_ACCOUNT_ID`, `CLOUDFLARE_API_TOKEN` | provider `cloudflare` (Workers AI) with its 10,000 free neurons a day; `CLOUDFLARE_BASE_URL` points it elsewhere |
| `OLLAMA_HOST` | provider `ollama`, any model of it; `OLLAMA_MODEL` (default `llama3.2`) and `OLLAMA_EMBED_MODEL` (default `nomic-embed-text`) are its targets |
| `PENSTOCK_LOCAL_MODEL` | provider `local`: the directory of an embedding model, run in this process (extra `local`) |
| `JWT_SECRET` | an hs256 issuer with this secret, at least 32 bytes |
| `STRIPE_WEBHOOK_SECRET` | the signing secrets of Stripe's webhook, by commas, where the file names none |
| `PENSTOCK_MASTER_KEY` | what tenants' own keys are sealed with where the file has no `tenant_keys.master`, at least 32 bytes |
| `PENSTOCK_CONFIG` | the configuration file |
| `PENSTOCK_DATA` | the data directory where the file sets none |
| `AUTH_SERVICE_URL`, `CHAT_SERVICE_URL`, `BILLING_SERVICE_URL` | the services `auth`, `chat` and `billing`, each with this one backend, where the file names none; the chat service is also the provider `chat` |

With none of the providers, the `sandbox` answers: canned replies that say so, metered and priced as the models it
stands for.

## What `auto` and `embed` are made of

`penstock serve` and `penstock check` print it. Parts that the file names stay as they are; the others are filled in this order:

| part | first of these that is configured |
|---|---|
| `auto` simple, medium | Workers AI's small models, Ollama, another provider's small model, the sandbox |
| `auto` strong | a chat service (`CHAT_SERVICE_URL`), `gpt-4o` at OpenAI, Anthropic's, else the medium target |
| `embed` | Workers AI's bge-base-en-v1.5, the local model, another provider's small embedding model, hashed lexical vectors |

`@cf/meta/llama-2-7b-chat-int8` and `@cf/mistral/mistral-7b-instruct-v0.1`, which no longer exist, are aliases of the
simple and the medium target.

## Default tiers and limits

A table of your own is laid over these: `[tiers.pro]` with one key keeps the others. Tiers of other names may be added.

"""


def configuration() -> str:
    """docs/reference/configuration.md."""
    said = meanings()
    tables: dict[str, list[Setting]] = {}
    for setting in settings():
        tables.setdefault(setting.path.rpartition(".")[0], []).append(setting)
    parts = [
        f"\n## {heading(path)}\n\n| setting | must be | default | meaning |\n|---|---|---|---|\n"
        + "".join(row(setting, said[setting.section, setting.field.name]) for setting in held)
        for path, held in tables.items()
    ]
    return (
        OPENING
        + "".join(parts)
        + CLOSING
        + standing("tier", TIERS)
        + "\n"
        + standing("limit", LIMITS)
    )


def heading(table: str) -> str:
    """How TOML opens that table."""
    if not table:
        return "Top level"
    return f"`[[{table[:-2]}]]`" if table.endswith("[]") else f"`[{table}]`"


def row(setting: Setting, text: str) -> str:
    """One line of a table."""
    return f"| `{setting.field.name}` | {due(setting.field.type)} | {shown(setting)} | {text} |\n"


def shown(setting: Setting) -> str:
    """Its default as TOML writes it; a table's stands where the table is described."""
    value = default(setting.field)
    if setting.section == "Limit" and value is NODEFAULT:
        return "by its name"
    if value is NODEFAULT:
        return "required"
    plain = msgspec.to_builtins(value)
    if plain is None:
        return "none"
    return "below" if isinstance(plain, dict) and plain else f"`{json.dumps(plain)}`"


def standing(name: str, tables: Mapping[str, Struct]) -> str:
    """The default tables of that name, a line each."""
    keys = next(iter(tables.values())).__struct_fields__
    lines = [f"| {name} | {' | '.join(keys)} |", "|---" * (len(keys) + 1) + "|"]
    for key, table in tables.items():
        lines.append(f"| {key} | {' | '.join(str(getattr(table, field)) for field in keys)} |")
    return "\n".join(lines) + "\n"


def schema_text() -> str:
    """docs/reference/penstock.schema.json, as `penstock check --schema` prints it."""
    return json.dumps(schema(), indent=2) + "\n"


PAGES = {"configuration.md": configuration, "penstock.schema.json": schema_text}


def write() -> None:
    """All pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
