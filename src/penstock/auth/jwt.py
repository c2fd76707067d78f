"""Tokens (RFC 7519): which issuer signed one, and whether its claims hold here and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from penstock.auth import jwk, jws, refusals
from penstock.auth.jws import Signed
from penstock.config import Issuer
from penstock.errors import Misconfigured
from penstock.ports import Crypto

SECRET_BYTES = 32
LONGEST_NAME = 256
_LAST_YEAR_ENDS = 253_402_300_800.0
"""Year 10000: a time beyond it was written in milliseconds, or to live for ever."""


class Finder(Protocol):
    """Where an issuer's public keys are found; KeySet is one."""

    async def find(self, kid: str | None, alg: str) -> jwk.Key | None: ...


class Authority:
    """One configured issuer: its pinned algorithms, keys and rules; raises Misconfigured."""

    __slots__ = ("_algorithms", "_crypto", "_finder", "_issuer", "_secret")

    def __init__(self, issuer: Issuer, crypto: Crypto, finder: Finder | None = None) -> None:
        self._issuer = issuer
        self._crypto = crypto
        self._finder = finder
        self._secret = checked_secret(issuer.secret) if finder is None else b""
        self._algorithms = frozenset({"HS256"} if finder is None else issuer.algorithms)
        if finder is not None:
            _check_public(issuer)

    def may_have_issued(self, signed: Signed, claims: Mapping[str, Any]) -> bool:
        """Whether its configuration lets it be the issuer; asked before a key is looked for."""
        if signed.alg not in self._algorithms:
            return False
        named = claims.get("iss")
        return not self._issuer.issuer or (isinstance(named, str) and named == self._issuer.issuer)

    async def signed(self, signed: Signed) -> bool:
        """Whether the signature is this issuer's; raises Unavailable without any key."""
        if self._finder is None:
            return jws.right_mac(signed, self._secret)
        key = await self._finder.find(signed.kid, signed.alg)
        return key is not None and await jws.check(signed, key, self._crypto)

    def is_for_us(self, claims: Mapping[str, Any]) -> bool:
        """Whether `aud` names this gateway, where an audience is configured."""
        if not self._issuer.audience:
            return True
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        return all(isinstance(name, str) for name in named) and self._issuer.audience in named


class Tokens:
    """Checks tokens of all configured issuers."""

    __slots__ = ("_authorities", "_leeway")

    def __init__(self, authorities: Sequence[Authority], leeway_seconds: float) -> None:
        self._authorities = tuple(authorities)
        self._leeway = leeway_seconds

    async def claims(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that holds at `now`; raises Unauthorized or Unavailable."""
        signed = jws.read(token)
        claims = None if signed is None else jws.read_object(signed.payload)
        if signed is None or claims is None:
            raise refusals.invalid_token()
        for authority in self._authorities:
            if authority.may_have_issued(signed, claims) and await authority.signed(signed):
                return self._held(claims, authority.is_for_us(claims), now)
        raise refusals.invalid_token()

    def _held(self, claims: dict[str, Any], for_us: bool, now: float) -> dict[str, Any]:
        until = moment(claims.get("exp"))
        latest = now + self._leeway
        began = all(_passed(claims, name, latest) for name in ("nbf", "iat"))
        if not for_us or not began or until is None or not is_name(claims.get("sub")):
            raise refusals.invalid_token()
        # Without leeway: an hour is an hour, and clocks that differ only end it early.
        if until <= now:
            raise refusals.expired()
        return claims


def checked_secret(secret: str) -> bytes:
    """A shared secret's bytes; raises Misconfigured below 256 bits."""
    data = secret.encode()
    if not data:
        raise Misconfigured(
            "auth.issuers: an hs256 issuer needs `secret`; set it, or the environment's JWT_SECRET."
        )
    if len(data) < SECRET_BYTES:
        raise Misconfigured(
            f"auth.issuers: `secret` has {8 * len(data)} bits and can be guessed;"
            f" use at least {SECRET_BYTES} random bytes, such as `openssl rand -hex 32` prints."
        )
    return data


def moment(value: object) -> float | None:
    """A NumericDate as seconds since the epoch, or None for what is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LAST_YEAR_ENDS else None


def is_name(value: object) -> bool:
    """Whether this can name somebody: short and printable, so without control characters."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _passed(claims: Mapping[str, Any], name: str, latest: float) -> bool:
    if name not in claims:
        return True
    begin = moment(claims[name])
    return begin is not None and begin <= latest


def _check_public(issuer: Issuer) -> None:
    for name in ("issuer", "audience"):
        if not getattr(issuer, name):
            raise Misconfigured(
                f"auth.issuers: a jwks issuer needs `{name}`;"
                " without it, tokens meant for others would be taken."
            )
    wrong = sorted(set(issuer.algorithms) - jwk.ASYMMETRIC)
    if wrong or not issuer.algorithms:
        raise Misconfigured(
            f"auth.issuers: `algorithms` of a jwks issuer has {', '.join(wrong) or 'none'};"
            " use RS256, ES256, EdDSA or their like."
        )
