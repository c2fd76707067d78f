"""One request on its way through the gateway: who asks, by which path, and how the caller's rates stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from msgspec import Struct

from penstock.auth.caller import Caller
from penstock.errors import BadRequest, UnsupportedEncoding
from penstock.gateway.bodies import Bodies, bound_of
from penstock.ports import Standing, Statement
from penstock.wire.http import Headers, Request

if TYPE_CHECKING:
    from penstock.gateway.routes import Endpoint
    from penstock.gateway.tracing import Trace
    from penstock.limits.hold import Hold


MOST_FIELDS = 20
"""Fields of one query."""
NOTHING_ASKED: frozenset[str] = frozenset()


class Exchange(Struct):
    """`started` is the clock's tick, `limit` the most bytes of a body.

    `holds` are this request's own, `follows` where it reads another's answer along. `bodies` bounds what all hold of
    bodies, of which this one has `room`; `leave` gives its slot back.
    """

    id: str
    request: Request
    endpoint: Endpoint
    started: float
    limit: int
    caller: Caller
    bodies: Bodies
    standings: Sequence[Standing] = ()
    token_standing: Standing | None = None
    holds: tuple[Hold, ...] = ()
    follows: bool = False
    leave: Callable[[], None] | None = None
    room: int = 0
    inner: bool = False
    """Whether it comes from inside a call to a service, which is charged already."""
    status: int = 0
    streams: bool = False
    """Whether its reply is being streamed."""
    trace: Trace | None = None
    """Its spans; None where none are made."""
    also: tuple[Statement, ...] = ()
    """What the first hold's batch writes beside its own: where that cannot be written nothing is sent."""

    @property
    def notes(self) -> dict[str, Any]:
        """What the access log says of it."""
        return self.request.notes

    @property
    def billed(self) -> bool:
        """Whether a call for it may have been charged, so that a repeat could be charged again."""
        return self.follows or self.spent

    @property
    def spent(self) -> bool:
        """Whether a call of its own may have been charged."""
        return any(hold.sent for hold in self.holds)

    async def read(self) -> bytes:
        """The request's body; raises TooLarge, UnsupportedEncoding for a compressed one, Overloaded where all hold too much."""
        if self.request.header("content-encoding") not in (None, "", "identity"):
            raise UnsupportedEncoding
        if not self.room and not isinstance(self.request.body, bytes):
            self.room = self.bodies.take(bound_of(self.request, self.limit))
        data = await self.request.read(self.limit)
        if self.caller.anonymous:
            self.request.body = data  # read again where it is bad: which route did it mean?
        return data

    def query(self) -> dict[str, str]:
        """The query's fields; raises BadRequest where there are too many, one stands twice or holds what no table can."""
        try:
            pairs = parse_qsl(
                self.request.query, keep_blank_values=True, max_num_fields=MOST_FIELDS
            )
        except ValueError as error:
            raise BadRequest(
                f"The query has more than {MOST_FIELDS} fields.", code="invalid_field"
            ) from error
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BadRequest("The query names a field twice.", code="duplicate_field")
        if bad := [name for name, value in pairs if "\0" in value]:
            raise BadRequest(
                "A field of the query holds a NUL.", code="invalid_field", param=bad[0][:50]
            )
        return found

    @property
    def shown(self) -> Headers:
        """The caller's own credential, for a service that is asked on its behalf; none of one that made nobody of it. And
        what its spans come under."""
        traced = () if self.trace is None else (self.trace.header(),)
        if self.caller.anonymous:
            return traced
        given = self.request.header("authorization")
        key = self.request.header("x-api-key")
        return (("authorization", given or f"Bearer {key}"), *traced) if given or key else traced

    def end(self) -> None:
        """Gives back what it took of the gateway's room; again, it does nothing."""
        leave, self.leave = self.leave, None
        if leave is not None:
            leave()
        if self.room:
            self.bodies.give(self.room)
            self.room = 0

    @property
    def cache_control(self) -> frozenset[str]:
        """The directives of the caller's cache-control that matter here."""
        if self.inner:
            # What it is a part of may be in the air under the same key, and waits for it.
            return frozenset({"no-store"})
        if self.request.header("cache-control") is None:
            return NOTHING_ASKED
        value = ",".join([text for name, text in self.request.headers if name == "cache-control"])
        return frozenset(part.strip().lower() for part in value.split(",")) & {
            "no-cache",
            "no-store",
        }
