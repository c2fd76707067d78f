"""What a caller's `model` and `forceProvider` lead to, for this caller."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.auth import scopes
from penstock.auth.caller import Caller
from penstock.config import Config, Verb
from penstock.errors import BadRequest, Error, ModelNotFound, TooLarge, UnsupportedEncoding
from penstock.gateway.exchange import Exchange
from penstock.ledger import days
from penstock.ports import Clock
from penstock.routing.routes import Routes, Way
from penstock.wire.chat import Ask
from penstock.wire.json import decode_object

PLAIN: Mapping[Verb, str] = {"chat": "auto", "embed": "embed"}
"""The route that is meant where none is named."""
_OF_THE_BODY = (BadRequest, TooLarge, UnsupportedEncoding)

DAY_SECONDS = days.DAY_MS // 1000


class Names:
    """Looks names up at the prices of the day, and holds anonymous callers to the routes that take them."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._day = self._today()
        self.routes = Routes(config, days.day(self._day * days.DAY_MS))

    def way(self, ask: Ask, caller: Caller) -> Way:
        """Where an ask goes; raises ModelNotFound, BadRequest for an unknown provider, or why the caller is anonymous."""
        name = (
            ask.model if ask.force_provider is None else self._forced(ask.force_provider, ask.model)
        )
        return self.named(name, "chat", caller)

    def named(self, name: str, verb: Verb, caller: Caller) -> Way:
        """The same for a plain name."""
        today = self._today()
        if today != self._day:
            self._day = today
            self.routes.price(days.day(today * days.DAY_MS))
        if caller.refusal is not None:
            return self._for_anonymous(name, verb, caller)
        return self.routes.find(name, verb)

    def refusal(self, exchange: Exchange, error: Error) -> Error:
        """What a caller is told of a bad body: an anonymous one only that it is, unless an open route was meant."""
        refusal = exchange.caller.refusal
        routed = exchange.endpoint.auth == "routed"
        if refusal is None or not routed or not isinstance(error, _OF_THE_BODY):
            return error
        return error if self._open(exchange) else refusal

    def _open(self, exchange: Exchange) -> bool:
        """Whether a body, as far as it can be read, names a route that takes anonymous callers."""
        verb: Verb = "embed" if exchange.endpoint.scope == scopes.EMBED else "chat"
        body = exchange.request.body
        try:
            value, _ = decode_object(body if isinstance(body, bytes) else b"")
            self.named(str(value.get("model") or PLAIN[verb]), verb, exchange.caller)
        except Error:
            return False
        return not value.get("forceProvider")

    def _today(self) -> int:
        return int(self._clock.now()) // DAY_SECONDS

    def _for_anonymous(self, name: str, verb: Verb, caller: Caller) -> Way:
        # Whoever may not enter is told so, whether the name exists or not.
        assert caller.refusal is not None
        try:
            way = self.routes.find(name, verb)
        except ModelNotFound as unknown:
            raise caller.refusal from unknown
        if way.settings.auth != "optional":
            raise caller.refusal
        return way

    def _forced(self, wanted: str, model: str) -> str:
        provider = self.routes.provider(wanted)
        if not provider:
            raise BadRequest(
                "'forceProvider' names no configured provider.",
                code="unknown_provider",
                param="forceProvider",
            )
        if model in ("", PLAIN["chat"]):
            return self.routes.provider_default(provider)
        named = self.routes.alias(model).removeprefix(f"{wanted}/").removeprefix(f"{provider}/")
        return f"{provider}/{named}"
