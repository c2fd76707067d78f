"""What probes of backends found, kept in a Durable Object whose alarm has the gateway probe: one for all isolates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.errors import Unavailable
from penstock.platforms.cloudflare import probes_sql as sql
from penstock.platforms.cloudflare import values
from penstock.platforms.cloudflare.meter import MILLION, UNPREPARED, New, Reply, Run
from penstock.ports import Probed

OBJECT = "probes"

Found = dict[str, tuple[bool, int]]
"""By backend: whether it was well, and when it was asked, in microseconds of the object's time."""

_REPLY = msgspec.json.Decoder(Reply)
_FOUND = msgspec.json.Decoder(Found)
_ASKED = msgspec.json.Decoder(tuple[int, msgspec.Raw])
_STEPS: list[Run] = [(sql.NOTE, (None,)), (sql.READ, (None,))]
_FIRST: list[Run] = [
    *((text, ()) for text in sql.SCHEMA), (sql.FIRST, (None,)), (sql.LEAVE, (sql.NEXT,)),
]  # fmt: skip


class CloudflareProbes:
    """The port `Probes`, on an object of the meter's class."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace

    async def __call__(self, soon: bool) -> Sequence[Probed]:
        alarm = sql.SOON_MS if soon else sql.EACH_MS
        reply = await self._send(New(_STEPS, alarm))
        if UNPREPARED in reply.error:
            reply = await self._send(New([*_FIRST, *_STEPS], sql.SOON_MS))
        if reply.error:
            raise _unavailable()
        [[now, text]] = reply.results[-1]
        try:
            found = _FOUND.decode(text).items()
        except msgspec.DecodeError as error:  # another version's, until the next probe
            raise _unavailable() from error
        return [Probed(name, well, (now - at) / MILLION) for name, (well, at) in found]

    async def _send(self, steps: New) -> Reply:
        text = msgspec.json.encode(steps).decode()
        try:
            return _REPLY.decode(await self._namespace.getByName(OBJECT).run(text))
        except (values.JsException, msgspec.DecodeError) as error:
            raise _unavailable() from error


def asked_at(text: str) -> int:
    """When the object asked for probes, by its own time."""
    return _ASKED.decode(text)[0]


def kept(at: int, found: Mapping[str, bool]) -> str:
    """What the object is to do with what was found: the steps that keep it, and when to ask again where that is soon."""
    backends = msgspec.json.encode({name: (well, at) for name, well in found.items()}).decode()
    soon = 0 if all(found.values()) else sql.SOON_MS
    return msgspec.json.encode(
        New([(sql.KEEP, (backends,)), (sql.RENEW, (sql.NEXT,))], soon)
    ).decode()


def _unavailable() -> Unavailable:
    return Unavailable("What probes found cannot be read.")
