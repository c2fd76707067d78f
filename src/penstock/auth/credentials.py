"""The credential that a request shows, before anybody has checked it."""

from __future__ import annotations

from urllib.parse import unquote_plus

from penstock.auth import refusals
from penstock.auth.jws import LONGEST
from penstock.wire.http import Request

# Not `key` and `token`: other things are called so, and nothing reads a credential there.
_QUERY_NAMES = frozenset(
    {"access_token", "api-key", "api_key", "apikey", "authorization", "bearer", "jwt", "x-api-key"}
)


def shown(request: Request) -> str:
    """The one token or key in the headers, ASCII and at most 8 KB.

    Raises Unauthorized, BadRequest or HeaderTooLarge.
    """
    authorization: str | None = None
    key: str | None = None
    for name, value in request.headers:
        if name == "authorization":
            if authorization is not None:
                raise refusals.doubled(name)
            authorization = value
        elif name == "x-api-key":
            if key is not None:
                raise refusals.doubled(name)
            key = value
    if request.query:
        _refuse_in_query(request.query)
    return _acceptable(_one(_bearer(authorization) if authorization else "", key or ""))


def _one(token: str, key: str) -> str:
    if token and key and token != key:
        raise refusals.conflicting()
    return token or key


def _acceptable(credential: str) -> str:
    if not credential:
        raise refusals.missing()
    if len(credential) > LONGEST:
        raise refusals.too_long(LONGEST)
    if not credential.isascii():
        raise refusals.invalid_token()
    return credential


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" and scheme.lower() != "bearer":
        raise refusals.too_long(LONGEST) if len(scheme) > LONGEST else refusals.missing()
    return token.strip(" ")


def _refuse_in_query(query: str) -> None:
    for pair in query.split("&"):
        name = pair.partition("=")[0]
        if unquote_plus(name).lower() in _QUERY_NAMES:
            raise refusals.in_query()
