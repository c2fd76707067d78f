"""Who calls a service: it checks the token itself, by the gateway's own rules, whatever stood before it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.auth import keys
from penstock.auth.caller import Caller
from penstock.auth.claims import caller_of_token
from penstock.auth.jwks import KeySet
from penstock.auth.jwt import Authority, Tokens
from penstock.auth.mint import mint
from penstock.config import Issuer
from penstock.errors import Unauthorized
from penstock.ports import Crypto, Platform
from penstock.wire.http import Request

LEEWAY_SECONDS = 60
BEARER = "bearer "
TIERS = ("free", "pro", "enterprise")


class Callers:
    """Callers by the tokens of these issuers; raises Misconfigured for unsafe ones."""

    def __init__(self, issuers: Sequence[Issuer], world: Platform) -> None:
        self._clock = world.clock
        found = [_authority(issuer, world) for issuer in issuers]
        self._tokens = Tokens(found, LEEWAY_SECONDS)

    async def identify(self, request: Request) -> Caller:
        """The caller; raises Unauthorized, or Unavailable where the keys are out of reach."""
        token = shown(request)
        claims = await self._tokens.claims(token, self._clock.now())
        return caller_of_token(claims, keys.hash_of(token), TIERS, ())


def shown(request: Request) -> str:
    """The one bearer token of a request; raises Unauthorized."""
    sent = [value for name, value in request.headers if name == "authorization"]
    if len(sent) != 1 or sent[0][: len(BEARER)].lower() != BEARER:
        raise Unauthorized("Send one bearer token in Authorization.")
    return sent[0][len(BEARER) :].strip()


def shared(issuer: Issuer, crypto: Crypto) -> Tokens:
    """The tokens of one shared secret."""
    return Tokens([Authority(issuer, crypto)], LEEWAY_SECONDS)


def _authority(issuer: Issuer, world: Platform) -> Authority:
    finder = None
    if issuer.mode == "jwks":
        finder = KeySet(issuer.jwks_url, issuer.algorithms, world)
    return Authority(issuer, world.crypto, finder)


class Peers:
    """Tokens between the services of one installation: short, and no user's token is one."""

    NAME = "penstock-services"
    SECONDS = 60.0

    def __init__(self, world: Platform) -> None:
        secret = world.secret.hex()
        self._issuer = Issuer(mode="hs256", issuer=self.NAME, audience=self.NAME, secret=secret)
        self._tokens = shared(self._issuer, world.crypto)
        self._clock = world.clock

    def token(self, name: str) -> str:
        """A token for the service of that name."""
        claims = {"sub": name, "iss": self.NAME, "aud": self.NAME}
        return mint(claims, self._issuer.secret, now=self._clock.now(), lifetime=self.SECONDS)

    async def check(self, request: Request) -> str:
        """Which service asks; raises Unauthorized."""
        claims = await self._tokens.claims(shown(request), self._clock.now())
        return str(claims["sub"])
