"""By what targets are reached: deployments, and keys that tenants bring. A setting's docstring is its meaning, as in `values.py`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from penstock.config.bounds import Count, Weight

Own = Literal["only", "first", "off"]


class Deployment(Struct, frozen=True, forbid_unknown_fields=True):
    """One place, or one key, by which a target is reached."""

    name: str = ""
    """What metrics call it; empty: its number in the list, from 1. What is known of it outlives a reload by name and `url`."""
    url: str = ""
    """Root of its API; empty: the provider's `base_url`."""
    key: str = ""
    """Its key, best written `${VAR}`; empty: none, or the provider's `api_key` where `url` is empty too."""
    weight: Weight = 1
    """Its share beside the others' weights."""
    requests_per_minute: Count = 0
    """Most requests sent to it in any minute, of each target, by all processes together; 0: no limit."""
    tokens_per_minute: Count = 0
    """Most tokens of input and output, likewise."""


class TenantKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of their own that tenants have at providers, kept sealed."""

    master: tuple[str, ...] = ()
    """Secrets of at least 32 bytes, best written `${VAR}`: the first seals, each opens. Empty: `PENSTOCK_MASTER_KEY`; platform `embedded` opens, and without any seals, by the secret in `data` too."""
