"""One request to a pool of backends: to one of them, and to another where nothing can have been done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from msgspec import Struct

from penstock.errors import Error, Failed, NotSent, Overlong, Stalled, TooLarge
from penstock.ports import Clock, Fetch
from penstock.upstream import hops, paths
from penstock.upstream.health import Member, Pool
from penstock.wire import sse
from penstock.wire.http import Duplex, Request, Response, Stream, Timeouts
from penstock.wire.websocket import SWITCHING

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
ELSEWHERE = frozenset({502, 503, 504})
"""Replies after which an idempotent request goes to another backend."""
UNIMPLEMENTED = frozenset({501, 505})
"""Replies of 500 and more that say nothing of a backend's health."""
LEFT = "left"
"""What a request came to whose caller left, or whose body could not be had."""
PLACES = frozenset({"location", "content-location"})
_KINDS = {kind: f"{kind}xx" for kind in range(1, 10)}


class Manner(Struct, frozen=True):
    """How a service is asked, and what of its replies goes back."""

    timeouts: Timeouts
    attempts: int
    max_reply: int
    rewrite: Mapping[str, str]
    cookies: bool
    redirects: bool


class Sent:
    """A body on its way to a service, at most `limit` bytes; `touched` once any of it was taken, `ended` once all was."""

    __slots__ = ("_body", "_left", "_limit", "ended", "touched")

    def __init__(self, body: Stream, limit: int) -> None:
        self._body = body
        self._limit = self._left = limit
        self.ended = self.touched = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.touched = True
        try:
            part = await self._body.__anext__()
        except StopAsyncIteration:
            self.ended = True
            raise
        self._left -= len(part)
        if self._left < 0:
            raise TooLarge(
                f"The body is larger than {self._limit} bytes, the most this service takes."
            )
        return part

    async def aclose(self) -> None:
        await self._body.aclose()


class Forward:
    """A `Fetch` whose requests name a path below `prefix`: each goes to a backend of the pool."""

    def __init__(self, pool: Pool, fetch: Fetch, clock: Clock, manner: Manner, prefix: str) -> None:
        self._pool = pool
        self._fetch = fetch
        self._clock = clock
        self._manner = manner
        self._prefix = prefix

    async def __call__(self, request: Request) -> Response:
        """The first reply that no other backend could better; raises Failed where there is none."""
        pool, retries = self._pool, self._pool.retries
        start = self._clock.tick()
        member, tried = pool.pick(start), []
        assert member is not None  # of a pool somebody always serves
        retries.firsts += 1
        try:
            while True:
                tried.append(member)
                following = None
                try:
                    response = await self._counted(member, request, start, again=len(tried) > 1)
                except Failed as failure:
                    following = self._other(request, failure, tried)
                    if following is None:
                        raise
                else:
                    if response.status in ELSEWHERE:
                        following = self._other(request, None, tried)
                    if following is None and self._welcome(response):
                        return self._answer(response, member, request)
                    await response.aclose()
                    if following is None:
                        raise _redirected(response)
                member = following
        finally:
            retries.firsts -= 1

    def _other(
        self, request: Request, failure: Failed | None, tried: list[Member]
    ) -> Member | None:
        """The backend to try next, None where this is the end of it. What was refused unsent harms nobody anywhere."""
        if len(tried) >= self._manner.attempts:
            return None
        body = request.body
        if isinstance(body, Sent) and body.touched:
            return None
        if not isinstance(failure, NotSent) and not (
            request.method in IDEMPOTENT and self._pool.retries.may_retry()
        ):
            return None
        return self._pool.pick(self._clock.tick(), tried)

    async def _counted(
        self, member: Member, request: Request, start: float, *, again: bool
    ) -> Response:
        """One attempt, counted as a retry where it is one."""
        retries = self._pool.retries
        retries.retries += again
        try:
            return await self._one(member, request, start)
        finally:
            retries.retries -= again

    async def _one(self, member: Member, request: Request, start: float) -> Response:
        began = self._clock.tick()
        going = Going(self._pool, member, self._clock, began)
        sent = self._sent(member, request, began - start)
        try:
            response = await self._fetch(sent)
        except BaseException as error:
            going.end(_Slow() if _awaited(request, error) else error)
            raise
        going.status = response.status
        if isinstance(response.body, bytes):
            going.end()
            return response
        if response.status == SWITCHING and isinstance(response.body, Duplex):
            response.body = Opened(response.body, going)
            return response
        events = _are_events(response)
        response.body = coming = Coming(response.body, going, Stalled if events else Overlong)
        try:
            if not events:
                await coming.open()
        except BaseException:
            await coming.aclose()
            raise
        return response

    def _sent(self, member: Member, request: Request, spent: float) -> Request:
        manner, target = self._manner, request.target
        if manner.rewrite:
            target = paths.renamed(target, self._prefix, manner.rewrite)
        times = manner.timeouts
        if spent > 0.1:  # an attempt went before it
            left = max(0.001, times.total - spent)
            times = Timeouts(times.connect, times.first_byte, times.idle, left)
        return Request(
            request.method,
            member.url.encode() + target,
            headers=request.headers,
            body=request.body,
            length=request.length,
            timeouts=times,
            max_reply=manner.max_reply,
            verbatim=True,
        )

    def _answer(self, response: Response, member: Member, request: Request) -> Response:
        """A backend's reply as the caller gets it."""
        manner = self._manner
        sized = request.method == "HEAD" or not isinstance(response.body, bytes)
        headers = hops.back(response.headers, sized=sized, cookies=manner.cookies)
        for at, (name, value) in enumerate(headers):
            if name in PLACES:
                here = paths.location(value, member.url, self._prefix, manner.rewrite)
                headers[at] = (name, here)
        response.headers = headers
        response.verbatim = True
        request.notes["backend"] = member.url
        return response

    def _welcome(self, response: Response) -> bool:
        redirects = 300 <= response.status < 400 and response.header("location") is not None
        return self._manner.redirects or not redirects


def _redirected(response: Response) -> Failed:
    return Failed(
        "The service answered with a redirect, which its settings refuse.",
        code="upstream_redirected",
        upstream_status=response.status,
    )


def _are_events(response: Response) -> bool:
    """Whether its head goes out at once: the first event may be long in coming, and a page waits to hear that it is connected."""
    return (response.header("content-type") or "").lower().startswith(sse.TYPE)


class Going:
    """One attempt, from when it begins until its reply has ended: then it is told what it came to, once."""

    __slots__ = ("_began", "_clock", "_ended", "_member", "_pool", "_told", "_turn", "status")

    def __init__(self, pool: Pool, member: Member, clock: Clock, began: float) -> None:
        self._pool = pool
        self._member = member
        self._clock = clock
        self._began = began
        self._ended = self._told = False
        self.status = 0
        self._turn = member.turn
        member.in_air += 1

    def end(self, error: BaseException | None = None) -> None:
        """It ended, well unless there is an error. One that is not the backend's says nothing of it."""
        if self._ended:
            return
        self._ended = True
        if self._turn == self._member.turn:
            self._member.in_air -= 1
        if not self._told:
            self.tell(error)

    def tell(self, error: BaseException | None = None) -> None:
        """What it came to, though it may go on: a tunnel that stands is all that its backend can do well."""
        self._told = True
        pool, member, now = self._pool, self._member, self._clock.tick()
        if error is None:
            member.outcomes[_KINDS.get(self.status // 100, "other")] += 1
            if self.status >= 500 and self.status not in UNIMPLEMENTED:
                pool.failed(member, now)
            else:
                pool.succeeded(member, self._began, now)
            return
        member.outcomes[error.code if isinstance(error, Failed) else LEFT] += 1
        if isinstance(error, Failed) and error.code != "upstream_too_large":
            pool.failed(member, now)


class Coming:
    """A reply's body on its way, whose end ends the attempt; closed early, it says nothing of the backend, nor where it is
    cut for being `slow`: it may have no end, its reader may be slow, and events may be long in coming."""

    __slots__ = ("_body", "_first", "_going", "_slow")

    def __init__(self, body: Stream, going: Going, slow: type[Stalled]) -> None:
        self._body = body
        self._going = going
        self._slow = slow
        self._first = b""

    async def open(self) -> None:
        """Waits for the first piece: until then the attempt can still fail with a status."""
        with suppress(StopAsyncIteration):
            self._first = await self.__anext__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if first := self._first:
            self._first = b""
            return first
        try:
            return await self._body.__anext__()
        except StopAsyncIteration:
            self._going.end()
            raise
        except Error as error:
            self._going.end(_Slow() if isinstance(error, self._slow) else error)
            raise

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._going.end(_Closed())


class Opened:
    """A tunnel to a backend, which has it in the air until it is closed; how it ends says nothing of the backend."""

    __slots__ = ("_duplex", "_going")

    def __init__(self, duplex: Duplex, going: Going) -> None:
        self._duplex = duplex
        self._going = going
        going.tell()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await self._duplex.__anext__()

    async def send(self, data: bytes) -> None:
        await self._duplex.send(data)

    async def end(self) -> None:
        await self._duplex.end()

    async def aclose(self) -> None:
        try:
            await self._duplex.aclose()
        finally:
            self._going.end()


class _Closed(Exception):
    """Nobody read on."""


class _Slow(Exception):
    """The time was over, and whose fault that is nobody knows."""


def _awaited(request: Request, error: BaseException) -> bool:
    """Whether the time was over before the caller had sent all: then it was not the backend that was waited for."""
    body = request.body
    return isinstance(error, Overlong) and isinstance(body, Sent) and not body.ended
