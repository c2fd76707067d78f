"""Development tokens: what `penstock token` prints."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from penstock.auth import base64url
from penstock.auth.jwt import checked_secret
from penstock.wire.json import encode

HOUR = 3600.0


def mint(claims: Mapping[str, Any], secret: str, *, now: float, lifetime: float = HOUR) -> str:
    """An HS256 token of these claims, for `lifetime` seconds; Misconfigured for a weak secret."""
    body = {**claims, "iat": int(now), "exp": int(now + lifetime)}
    message = ".".join(base64url.encode(encode(part)) for part in (_HEADER, body))
    signature = hmac.digest(checked_secret(secret), message.encode(), "sha256")
    return f"{message}.{base64url.encode(signature)}"


_HEADER = {"alg": "HS256", "typ": "JWT"}
