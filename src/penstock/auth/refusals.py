"""The few things a caller is told when its credential is not taken: enough to mend it, no more."""

from __future__ import annotations

from penstock.errors import BadRequest, HeaderTooLarge, Unauthorized, Unavailable

BAD = "Invalid token"
_CHALLENGE = (("www-authenticate", "Bearer"),)
_CHALLENGE_AGAIN = (("www-authenticate", 'Bearer error="invalid_token"'),)


def missing() -> Unauthorized:
    """No usable credential was sent."""
    return Unauthorized(
        "Send `Authorization: Bearer` with a token or an API key.",
        code="missing_credential",
        headers=_CHALLENGE,
    )


def invalid_token() -> Unauthorized:
    """Whatever else is wrong with a token; never says what, so that nobody can ask step by step."""
    return _bad("The token is not valid here.", "invalid_token")


def expired() -> Unauthorized:
    """A token that was good until its `exp`."""
    return _bad("The token has expired; get a new one.", "token_expired")


def invalid_key() -> Unauthorized:
    """An API key that is unknown, revoked or expired."""
    return _bad("The API key is not valid.", "invalid_api_key")


def revoked() -> Unauthorized:
    """A credential whose mark the meter carries."""
    return _bad("This credential was revoked.", "credential_revoked")


def session_over() -> Unauthorized:
    """A session whose time is over, that was signed out of, or that never was."""
    return Unauthorized("The session is over: sign in again.", code="session_over")


def conflicting() -> BadRequest:
    """Two credentials: using either could be somebody else's identity."""
    return BadRequest(
        "`Authorization` and `x-api-key` carry different credentials; send one.",
        code="conflicting_credentials",
    )


def doubled(name: str) -> BadRequest:
    """A credential header that stands twice."""
    return BadRequest(f"The header `{name}` was sent twice; send it once.", code="duplicate_header")


def in_query() -> BadRequest:
    """A credential where logs and histories keep it."""
    return BadRequest(
        "Credentials are not taken from the query string; send `Authorization: Bearer`.",
        code="credential_in_query",
    )


def too_long(limit: int) -> HeaderTooLarge:
    """A credential longer than any that is issued."""
    return HeaderTooLarge(f"The credential is longer than {limit} bytes.")


def keys_unreachable(retry_after: int) -> Unavailable:
    """The issuer's public keys were never, or too long ago, fetched."""
    return Unavailable(
        "The token cannot be checked: its issuer's keys are out of reach; try again later.",
        code="issuer_unreachable",
        headers=(("retry-after", str(retry_after)),),
    )


def _bad(message: str, code: str) -> Unauthorized:
    return Unauthorized(message, code=code, text=BAD, headers=_CHALLENGE_AGAIN)
