"""What judges of shadows need of this host: the operator's own functions, and files of references."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from penstock.config import Config
from penstock.config.labels import Shadow
from penstock.config.shadows import EXACT, FUNCTION
from penstock.errors import Misconfigured, Unavailable
from penstock.gateway import Gateway
from penstock.gateway.labels import Given, Scorer
from penstock.routing import judging
from penstock.wire import json

SECONDS = 30.0
"""How long a function of the operator's may take for one answer."""
THREAD = "penstock-judge"
MOST_THREADS = 32
MOST_REFERENCES = 100_000
MOST_LINE = 1 << 20


class Reference(Struct):
    """A line of references: a prompt and the answer that is right."""

    prompt: str
    reference: str


_reference = json.parser(Reference)


def given(config: Config) -> Given:
    """What this configuration's judges need; raises Misconfigured where something of it is not there."""
    scorers: dict[str, Scorer] = {}
    references: dict[str, Mapping[bytes, str]] = {}
    chats = {target.name for target in config.targets}
    for name, route in config.routes.items():
        if route.shadow is None:
            continue
        path = f"routes.{name}.shadow"
        if route.shadow.judge == EXACT:
            references[name] = _references(route.shadow, path)
        elif route.shadow.judge not in chats and FUNCTION.fullmatch(route.shadow.judge):
            scorers[name] = scorer(_function(route.shadow.judge, path))
    return Given(scorers, references)


def equip(gateway: Gateway, found: Given) -> None:
    """Gives a gateway what was found for its configuration."""
    if gateway.labels is not None:
        gateway.labels.given = found


def scorer(function: Callable[..., Any]) -> Scorer:
    """A function of the operator's as one that can be awaited: a plain one runs in a thread, so that nothing waits for it."""

    async def score(messages: Sequence[Mapping[str, Any]], answer: str) -> float:
        if inspect.iscoroutinefunction(function):
            work = function(messages, answer)
        else:
            work = _in_thread(function, messages, answer)
        try:
            async with asyncio.timeout(SECONDS):
                found = await work
        except TimeoutError as error:
            raise Unavailable("The judge's function took too long.") from error
        if isinstance(found, bool | int | float) and isfinite(found) and 0 <= found <= 1:
            return float(found)
        raise Unavailable("The judge's function gave no number from 0 to 1.")

    return score


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """What it returns, from a thread that no stop waits for; one that hangs is left behind, and so many of them are the end."""
    if sum(thread.name == THREAD for thread in threading.enumerate()) >= MOST_THREADS:
        raise Unavailable("The judge's function hangs too often.")
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def done(found: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def work() -> None:
        found, failed = None, None
        try:
            found = function(*args)
        except Exception as error:  # noqa: BLE001 - it is told to who waits for it
            failed = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done, found, failed)

    threading.Thread(target=work, name=THREAD, daemon=True).start()
    return await future


def _function(place: str, path: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        raise Misconfigured(
            f"{path}.judge: the module {module} cannot be imported here ({type(error).__name__}); install it for"
            f" {sys.executable}, or name its folder in PYTHONPATH"
        ) from error
    if not callable(found):
        raise Misconfigured(f"{path}.judge: {module} has no function {name}; name one that it has")
    return found  # type: ignore[no-any-return]  # whatever it is, it can be called


def _references(shadow: Shadow, path: str) -> Mapping[bytes, str]:
    found: dict[bytes, str] = {}
    where = f"{path}.references"
    try:
        with Path(shadow.references).open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MOST_LINE + 1), b""), 1):
                if line.strip():
                    one = _line(line, f"{where}: line {number}")
                    found[judging.named(one.prompt)] = one.reference
                if len(found) > MOST_REFERENCES:
                    raise Misconfigured(
                        f"{where} has more than {MOST_REFERENCES} lines; leave some out"
                    )
    except OSError as error:
        raise Misconfigured(f"{where} cannot be read; name a file of JSON lines") from error
    if not found:
        raise Misconfigured(f"{where} has no line; write some, or name another judge")
    return found


def _line(line: bytes, where: str) -> Reference:
    try:
        one = _reference(line) if len(line) <= MOST_LINE else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        one = None
    if one is None or not judging.normal(one.reference):
        raise Misconfigured(
            f'{where} is none such as {{"prompt": "…", "reference": "…"}}; mend it or leave it out'
        )
    return one
