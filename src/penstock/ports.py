"""What the core asks of the world: a handful of small ports, and one value that holds an implementation of each."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct

from penstock.wire.http import Request, Response
from penstock.wire.tracing import Span

if TYPE_CHECKING:
    from penstock.config.mail import MailServer
    from penstock.wire.letters import Letter
    from penstock.wire.paper import Paper

Fetch = Callable[[Request], Awaitable[Response]]
"""Sends one HTTP request; a gateway is itself a `Fetch`.

Raises NotSent (nothing left), Broken (sent, outcome unknown), Stalled(phase) or Cut; never follows a redirect; the
reply's body is decoded (gzip, deflate) and cut at `max_reply`; closing it closes the connection if it was not read whole.
A GET with the headers of a WebSocket's handshake (`wire.websocket.asks`) may be answered 101 with a Duplex, checked, or as
any other; NoTunnel where the platform cannot. A 101 that was not asked for is Broken.
A `verbatim` request's reply keeps its cookies, and its packing where the platform lets it.
"""


class Store(Protocol):
    """Small values with an expiry. Promises nothing: cache and configuration only, never money, claims or revocation."""

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, value: bytes, ttl: float) -> None: ...
    async def delete(self, key: str) -> None: ...


class Blobs(Protocol):
    """Bytes that are kept: what was put is there, durable as the tables are, until its time is over or it is deleted.

    Where there is no room, `put` raises Unavailable; nothing older is dropped for it. Not for large things: megabytes.
    """

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, value: bytes, ttl: float) -> None: ...
    async def delete(self, key: str) -> None: ...


class Demand(Struct, frozen=True):
    """One thing asked of the meter.

    `rate` and `tokens` admit at most `limit` amounts in any `window` seconds (an exact sliding log up to 10,000, above it
    a GCRA whose burst is `limit`); `parallel` admits `limit` at once until given back; `alive` is denied where
    `key` carries a mark.
    """

    kind: Literal["rate", "tokens", "parallel", "alive"]
    policy: str
    key: str
    limit: int = 0
    window: int = 0
    amount: int = 1


class Standing(Struct, frozen=True):
    """How one demand stands after a take: `remaining` of `limit`, whole again in `reset` seconds."""

    policy: str
    limit: int
    remaining: int
    reset: float
    window: int


class Lease(Struct, frozen=True):
    """All demands were taken; give it back whole, or with what was used."""

    id: int
    demands: tuple[Demand, ...]
    standings: tuple[Standing, ...]


class Denial(Struct, frozen=True):
    """Nothing was taken: `policies` refused, the longest wait is `retry_after` seconds."""

    policies: tuple[str, ...]
    retry_after: float
    standings: tuple[Standing, ...]
    waits: tuple[float, ...] = ()
    """Seconds to wait for each of `policies`."""


class Meter(Protocol):
    """Counts that decide: all demands or none, where the count lives, by that place's clock."""

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial: ...
    async def give(self, lease: Lease, used: int | None = None) -> None:
        """None undoes the take; with `used` it frees parallel calls, sets token demands to it, leaves rates counted."""

    async def mark(self, key: str, until: float) -> None:
        """`alive` demands for `key` are denied until then (seconds since the epoch)."""


Value = str | int | float | bytes | None
Row = tuple[Any, ...]
Statement = tuple[str, tuple[Value, ...]]


class Tables(Protocol):
    """SQL in the subset that SQLite, D1 and PostgreSQL share: parameters `$1…` numbered in order of first appearance."""

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]: ...
    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        """All or nothing, durable as configured when it returns; raises Conflict(name) for a violated named constraint,
        Unavailable where nothing was written, Unheard where nobody knows."""


class Vectors(Struct, frozen=True):
    """Embeddings of a list of texts, in order, and the tokens they took."""

    model: str
    dimension: int
    values: list[list[float]]
    tokens: int


class Runner(Protocol):
    """Models in this process, or bound to this platform."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """By the one embedding model it has; raises Unavailable, Failed."""

    async def run(self, model: str, request: Request) -> Response:
        """A model by its name, on the input that is the request's body (JSON), as if `Fetch` had sent it to the model's
        own API: bounded by its time-outs and `max_reply`, and failing as that does. The rest of the request is not read.
        Unavailable where it has no models by name."""


MOST_DIMENSIONS = 1_536
MOST_ENTRIES = 1_000
"""Entries in one `upsert`, and ids in one `delete`."""
MOST_MATCHES = 100
MOST_ID_BYTES = 64
"""Of an entry's id and its document's, in UTF-8."""
MOST_TERMS = 10_000
"""Terms of an entry, repetitions included."""
MOST_TERMS_ASKED = 1_000


class Vector(Struct, frozen=True):
    """One embedding, and the model that made it. Its length does not matter, its direction does."""

    model: str
    values: Sequence[float]


class Entry(Struct, frozen=True):
    """One thing that can be found. What it stands for is a row of Tables: an index keeps only what it finds by.

    `id` is the owner's own: two owners may use the same. `terms` are compared as they are, and count as often as they
    stand there. It has a vector where the index has a model, and none where not.
    """

    id: str
    owner: str
    document: str
    vector: Vector | None = None
    terms: Sequence[str] = ()


class Match(Struct, frozen=True):
    """An entry that was found: by vector `score` is the cosine, by terms BM25; both to six decimals."""

    id: str
    score: float


class Found(Struct, frozen=True):
    """Two lists, best first and by id where scores are equal. They are not fused: how, the caller measures."""

    by_vector: tuple[Match, ...] = ()
    by_terms: tuple[Match, ...] = ()


class Other(Struct, frozen=True):
    """Another model, of which the place of an index has entries."""

    model: str
    dimension: int
    entries: int


class About(Struct, frozen=True):
    """What an index is: `entries` of all owners, vectors of `model` (empty: none), and whether it searches by terms.

    Every write that returned before `settled` (seconds since the epoch) is found; infinite where each is at once.
    """

    model: str
    dimension: int
    entries: int
    lexical: bool = True
    settled: float = math.inf
    others: tuple[Other, ...] = ()


class Index(Protocol):
    """Finds an owner's entries, and no other's: the filter is in the store, and so are the counts that scores rest on.

    Its model and dimension are set when it is made; a vector of others raises WrongModel, and what is above a limit
    BadRequest, before anything is written. Unavailable where the store is out of reach. Indexes of other models may lie in
    the same place: each sees its own entries, so that documents come to a new model while the old one still answers.
    """

    async def upsert(self, entries: Sequence[Entry]) -> None:
        """At most MOST_ENTRIES, all or nothing; replaces entries of the same owner and id, the last one counts."""

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        """The owner's entries with one of these ids, and all of the document, in every model of the place; those that are not
        there are gone."""

    async def search(
        self,
        owner: str,
        k: int,
        *,
        vector: Vector | None = None,
        terms: Sequence[str] | None = None,
        document: str | None = None,
    ) -> Found:
        """At most `k` (to MOST_MATCHES) by the vector, and as many that have one of the terms; of one document, if named.

        A repeated term counts once. Where the index is not `lexical`, terms find nothing.
        """

    async def describe(self) -> About: ...

    async def drop(self, model: str, dimension: int) -> None:
        """Forgets all that the place has of another model; its own raises BadRequest."""


MOST_DOCUMENT_BYTES = 20 << 20
MOST_UNPACKED_BYTES = 100_000_000
MOST_PAGES = 2_000
MOST_CHARACTERS = MOST_DOCUMENT_BYTES
"""Of a document's text."""

DocumentKind = Literal["text", "markdown", "csv", "html", "pdf", "docx", "pptx", "xlsx", "epub"]


class Text(Struct, frozen=True):
    """A document as its canonical text, which is what is cut, indexed and cited.

    Lines end with a newline alone; of control characters there are tabs and newlines. Where the format has them, headings,
    tables, lists and code stand as in Markdown. `pages` has the offset where each page or slide begins, in characters,
    never falling; it is empty where the format has none.
    """

    kind: DocumentKind
    text: str
    title: str = ""
    pages: tuple[int, ...] = ()


class Parse(Protocol):
    """From a file's bytes to its text. What the file is, its bytes say; its name and declared type only choose between texts.

    The same bytes give the same text. Killable and bounded: one caller's file takes no more memory, time or pages than the
    limits above, and a caller who leaves ends the reading.
    """

    async def text(self, data: bytes, name: str = "", declared: str = "") -> Text:
        """Raises Unreadable with the reason; Unavailable where too many files wait already."""


class Mail(Protocol):
    """Letters, by a server that is named with each: settings may change while a process runs."""

    async def send(self, letter: Letter, server: MailServer) -> Sequence[str]:
        """Returns when the server has taken it, with the addresses it refused while it took others. Raises Failed, which says by
        `retryable` whether the same may be taken later, and by `processed` whether it may have been taken; at least once,
        then, and known by its id."""


Print = Callable[["Paper"], Awaitable[bytes]]
"""A paper as a file to print: PDF on A4, with its charts as vectors and its pages numbered. The same paper gives the same bytes."""


class Clock(Protocol):
    """Time, passed in so that tests own it."""

    def now(self) -> float: ...  # seconds since the epoch
    def tick(self) -> float: ...  # monotonic seconds, for durations
    async def sleep(self, seconds: float) -> None: ...
    def timeout(self, seconds: float) -> AbstractAsyncContextManager[Any]:
        """Raises TimeoutError in the block that outlasts it."""


class Ids(Protocol):
    """New identifiers: `req_…`, unguessable and rising with time."""

    def new(self, prefix: str) -> str: ...
    def secret(self, size: int) -> bytes: ...
    def fraction(self) -> float: ...  # uniform in [0, 1), for jitter and sampling


Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Background work that outlives its request and is awaited at shutdown."""


class Probed(Struct, frozen=True):
    """What somebody's probe of a backend found that was sent `age` seconds ago; it is named by its URL with the path of its health."""

    backend: str
    well: bool
    age: float


Probes = Callable[[bool], Awaitable[Sequence[Probed]]]
"""What the one who probes for all found last; the first to ask has it begin. Told whether a backend is left alone here, in
which case it should look soon. Raises Unavailable."""


class Traces(Protocol):
    """Where finished spans go. Nobody waits for it, and nothing it meets with reaches a request."""

    dropped: int
    """Spans that found no room."""
    failed: int
    """Spans that could not be sent."""

    def record(self, spans: Sequence[Span]) -> None:
        """Those of one request, all or none: what finds no room is counted. Returns at once."""


class Crypto(Protocol):
    """Public-key signatures, and sealing by AES-256-GCM; asynchronous because WebCrypto is."""

    async def verify(
        self, alg: str, jwk: dict[str, Any], message: bytes, signature: bytes
    ) -> bool: ...
    async def seal(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        """`plain` under a key of 32 bytes and a nonce of 12, never used again, with its tag; `bound` must be told to open it."""

    async def open(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
        """What was sealed; None where anything of it is not as it was."""


@dataclass(frozen=True, slots=True)
class Platform:
    """One value that holds the world. `shared_loop` is false where requests may not wait for each other (Workers)."""

    name: str
    fetch: Fetch
    store: Store
    blobs: Blobs
    meter: Meter
    tables: Tables
    clock: Clock
    ids: Ids
    spawn: Spawn
    crypto: Crypto
    runner: Runner | None = None
    index: Index | None = None
    """Where documents are found. None: this platform has none, or none is bound to it."""
    no_index: str = "This gateway has no index for documents: see `penstock doctor`."
    """What is said where there is none."""
    parse: Parse | None = None
    """Who reads documents; None where this home takes none."""
    mail: Mail | None = None
    """Who sends letters; None where this home has no way to a mail server."""
    pdf: Print | None = None
    """Who writes papers as PDF; None where this home has no library for it."""
    replies: Store | None = None
    """Where replies of services are kept, with room and an end of its own, and what is of use nearby only; None: in a part of `store`."""
    probes: Probes | None = None
    """Who probes the backends of services, where this process cannot."""
    traces: Traces | None = None
    """Where spans go; None: nowhere, and none are made."""
    assets: Fetch | None = None
    """The dashboard's built files, by their path below it; None where it was not built. It answers GETs, at once."""
    shared_loop: bool = True
    secret: bytes = b""
    """Keys the cache's HMAC; at least 32 random bytes made once per installation."""
