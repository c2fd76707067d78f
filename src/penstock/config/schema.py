"""The configuration's own description: each setting's meaning, and JSON Schema for editors."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import msgspec

from penstock.config import (
    accounts,
    alerting,
    costs,
    deployments,
    labels,
    mail,
    monthly,
    proxied,
    rag,
    routed,
    stores,
    telemetry,
    tiers,
    values,
)
from penstock.config.catalog import Setting
from penstock.config.values import Config

DRAFT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
RATE = r"^\s*\d+\s*/\s*\d*\s*(s|sec|m|min|h|d)\s*$"


def meanings() -> dict[tuple[str, str], str]:
    """(section, setting) → what it means: the docstrings that stand below the settings."""
    found: dict[tuple[str, str], str] = {}
    modules = (
        values, deployments, proxied, accounts, alerting, costs, labels, mail, rag, routed, stores,
        monthly, telemetry, tiers,
    )  # fmt: skip
    sources = [inspect.getsource(module) for module in modules]
    for section in ast.parse("\n".join(sources)).body:
        if isinstance(section, ast.ClassDef):
            found |= {(section.name, name): text for name, text in _documented(section)}
    return found


def meaning(setting: Setting) -> str:
    """What a setting means, empty where nothing is written."""
    return meanings().get((setting.section, setting.field.name), "")


def schema() -> dict[str, Any]:
    """JSON Schema of `penstock.toml` as an editor needs it: `${VAR}` may stand for any number or truth value."""
    made = msgspec.json.schema(Config)
    sections: dict[str, Any] = made["$defs"]
    said = meanings()
    for name, section in sections.items():
        for field, described in section["properties"].items():
            section["properties"][field] = _field(described, said[name, field])
    limit = sections["Limit"]
    limit["required"] = []  # the defaults have what a user's table leaves out
    sections["Limit"] = {"anyOf": [limit, {"type": "string", "pattern": RATE}], "title": "Limit"}
    return {"$schema": DRAFT, "title": "penstock.toml", **made}


def _field(described: dict[str, Any], text: str) -> dict[str, Any]:
    default = {"default": described.pop("default")} if "default" in described else {}
    described.pop("description", None)
    given = [one for one in described.get("anyOf", ()) if one.get("type") != "null"]
    if len(given) == 1:  # TOML has no null: what may be None is left out
        described = given[0]
        default = {}
    if described.get("type") in {"integer", "number", "boolean"} or "enum" in described:
        described = {"anyOf": [described, {"type": "string", "pattern": REFERENCE}]}
    return {"description": text, **described, **default}


def _documented(section: ast.ClassDef) -> list[tuple[str, str]]:
    pairs = zip(section.body, section.body[1:], strict=False)
    return [
        (field.target.id, " ".join(text.value.value.split()))
        for field, text in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    ]
