"""The credential that a request shows, before anybody has checked it."""

from __future__ import annotations

from urllib.parse import unquote_plus

from penstock.auth import refusals
from penstock.auth.jws import LONGEST
from penstock.errors import Refused
from penstock.wire.http import Request

# Not `key` and `token`: other things are called so, and nothing reads a credential there.
_QUERY_NAMES = frozenset(
    {"access_token", "api-key", "api_key", "apikey", "authorization", "bearer", "jwt", "x-api-key"}
)

_NAMES = frozenset({"authorization", "x-api-key"})


def shown(request: Request) -> str:
    """The one token or key in the headers, ASCII and at most 8 KB.

    Raises Unauthorized, BadRequest or HeaderTooLarge.
    """
    authorization = key = ""
    for name, value in request.headers:
        if name not in _NAMES:
            continue
        if name == "authorization":
            authorization = _first(name, authorization, value)
        else:
            key = _first(name, key, value)
    if request.query:
        _refuse_in_query(request.query)
    token = _bearer(authorization) if authorization else ""
    if token and key and token != key:
        raise refusals.conflicting()
    credential = token or key
    if 0 < len(credential) <= LONGEST and credential.isascii():
        return credential
    raise _fault(credential)


def _first(name: str, found: str, value: str) -> str:
    if found:
        raise refusals.doubled(name)
    return value


def _fault(credential: str) -> Refused:
    if not credential:
        return refusals.missing()
    return refusals.too_long(LONGEST) if len(credential) > LONGEST else refusals.invalid_token()


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" and scheme.lower() != "bearer":
        raise _fault(scheme if len(scheme) > LONGEST else "")
    return token.strip(" ")


def _refuse_in_query(query: str) -> None:
    for pair in query.split("&"):
        name = pair.partition("=")[0]
        if unquote_plus(name).lower() in _QUERY_NAMES:
            raise refusals.in_query()
