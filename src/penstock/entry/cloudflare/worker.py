"""wrangler's configuration of the two Workers: the gateway, and the one that holds the meter's object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.entry.cloudflare.choices import Choices

COMPATIBILITY = "2026-11-17"
"""Python 3.14 in Workers begins with 2026-09-08."""
FLAGS = ("python_workers",)
"""From this date on a request's signal needs no flag, and Cloudflare refuses one that is the default."""
METER_CLASS = "PenstockMeter"
LOCAL_ID = "penstock"
"""Stands for an id until one is known; wrangler's local stores take any."""
OBSERVED = {"enabled": True, "logs": {"enabled": True, "invocation_logs": False}}
"""Our own lines, which have no prompts or credentials; not the platform's, which have addresses and headers."""


def gateway(
    choices: Choices,
    required: Sequence[str],
    variables: Mapping[str, str],
    *,
    indexed: bool = True,
    assets: bool = False,
) -> dict[str, Any]:
    """The gateway Worker's wrangler.jsonc; bound to Vectorize where documents are `indexed`."""
    made: dict[str, Any] = {
        "name": choices.worker,
        "main": "src/entry.py",
        "compatibility_date": COMPATIBILITY,
        "compatibility_flags": [*FLAGS],
        "rules": [{"type": "Text", "globs": ["**/*.json", "**/*.sql"], "fallthrough": True}],
        "workers_dev": True,
        "preview_urls": False,
        "keep_vars": True,
        "send_metrics": False,
        "vars": dict(variables),
        "secrets": {"required": [*required]},
        **_bindings(choices, indexed),
        "triggers": {"crons": ["* * * * *"]},
        "observability": OBSERVED,
    }
    if assets:
        # By their very names, and through the Worker alone: it adds the headers that keep other pages out.
        made["assets"] = {
            "directory": "assets", "binding": "ASSETS", "run_worker_first": True, "html_handling": "none",
            "not_found_handling": "none",
        }  # fmt: skip
    return made


def _bindings(choices: Choices, indexed: bool) -> dict[str, Any]:
    database = {"binding": "DB", "database_name": choices.database, "migrations_dir": "migrations"}
    meter = {"name": "METER", "class_name": METER_CLASS, "script_name": choices.meter}
    vectorize = {"vectorize": [{"binding": "VECTORIZE", "index_name": choices.index}]}
    return {
        "kv_namespaces": [{"binding": "KV", "id": choices.kv_id or LOCAL_ID}],
        "d1_databases": [database | {"database_id": choices.d1_id or LOCAL_ID}],
        "r2_buckets": [{"binding": "BLOBS", "bucket_name": choices.bucket}],
        **(vectorize if indexed else {}),
        "ai": {"binding": "AI"},
        "durable_objects": {"bindings": [meter]},
    }


def meter(choices: Choices, *, probed: bool = False) -> dict[str, Any]:
    """The meter Worker's wrangler.jsonc: no address of its own, reached through the binding alone. Where backends are probed
    its object calls the gateway for it, which must be there before."""
    made: dict[str, Any] = {
        "name": choices.meter,
        "main": "meter_object.js",
        "compatibility_date": COMPATIBILITY,
        "workers_dev": False,
        "preview_urls": False,
        "send_metrics": False,
        "durable_objects": {"bindings": [{"name": "METER", "class_name": METER_CLASS}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": [METER_CLASS]}],
        "observability": OBSERVED,
    }
    if probed:
        made["services"] = [{"binding": "GATEWAY", "service": choices.worker}]
    return made


def local(gateway: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what has no local form and needs a login: Workers AI and Vectorize."""
    return {key: value for key, value in gateway.items() if key not in {"ai", "vectorize"}}
