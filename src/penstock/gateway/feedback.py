"""`/v1/feedback`: what a caller says of a request of its own, for experiments and routing to learn from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
from msgspec import Meta, Struct

from penstock.errors import BadRequest, NotFound
from penstock.gateway.exchange import Exchange
from penstock.ledger import feedback
from penstock.ledger.feedback import MOST_NAMES, SCORE, Feedback
from penstock.wire.chat import invalid_field
from penstock.wire.http import JSON, Response
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
ID = r"[A-Za-z0-9_-]{1,100}"
MOST = 1_000_000_000
"""Of a value, whichever way."""
_PATTERNS = {"request_id": re.compile(ID), "name": re.compile(NAME)}


class Said(Struct, forbid_unknown_fields=True):
    """The body: `score`, or a `name` with its `value`; a truth value counts as 1 or 0."""

    request_id: str
    score: Annotated[float, Meta(ge=-1, le=1)] | None = None
    name: str | None = None
    value: bool | Annotated[float, Meta(ge=-MOST, le=MOST)] | None = None


_decoder = msgspec.json.Decoder(Said)


async def feedback_of(gateway: Gateway, exchange: Exchange) -> Response:
    """Keeps it; raises BadRequest, and NotFound for a request that is not the caller's, or not known yet."""
    request_id, name, value = _read(await exchange.read())
    caller, platform = exchange.caller, gateway.platform
    if not await feedback.is_of(platform.tables, request_id, caller.owner):
        # What the cache served is written within a second: it may wait in this process.
        await gateway.journal.flush()
        if not await feedback.is_of(platform.tables, request_id, caller.owner):
            raise NotFound("There is no such request of yours.", code="not_found")
    now = int(platform.clock.now() * 1000)
    one = Feedback(request_id, name, caller.owner, caller.tenant, value, now)
    [rows] = await platform.tables.batch(feedback.put(one))
    if not rows:
        _refuse("name", f"would be the request's {MOST_NAMES + 1}th; it has {MOST_NAMES} at most")
    body = {"request_id": request_id, "name": name, "value": value}
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))


def _read(data: bytes) -> tuple[str, str, float]:
    _, form = decode_object(data)
    try:
        said = _decoder.decode(form)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise invalid_field(error) from error
    for field, pattern in _PATTERNS.items():
        text = getattr(said, field)
        if text is not None and not pattern.fullmatch(text):
            _refuse(field, "has characters or a length that none has")
    if said.score is not None:
        if said.name is not None or said.value is not None:
            _refuse("score", "goes without 'name' and 'value': send two requests")
        return said.request_id, SCORE, said.score
    if said.name is None or said.value is None:
        _refuse("name" if said.name is None else "value", "is missing: send 'score', or both")
    value = float(said.value)
    if said.name == SCORE and not -1 <= value <= 1:
        _refuse("value", "of a score must be from -1 to 1")
    return said.request_id, said.name, value


def _refuse(field: str, why: str) -> NoReturn:
    raise BadRequest(f"'{field}' {why}.", code="invalid_field", param=field)
