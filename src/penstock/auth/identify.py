"""From a request to its caller: a credential is checked once and remembered by its full hash."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.auth import keys, refusals
from penstock.auth.addresses import Networks, client_address
from penstock.auth.caller import FREE, Caller, anonymous
from penstock.auth.claims import caller_of_key, caller_of_token
from penstock.auth.credentials import shown
from penstock.auth.jwks import KeySet
from penstock.auth.jwt import Authority, Tokens
from penstock.config import Config, Issuer
from penstock.errors import HeaderTooLarge, Unauthorized, Unavailable
from penstock.ports import Platform
from penstock.wire.http import Request

if TYPE_CHECKING:
    from penstock.auth.sessions import Browser, Session

MOST_REMEMBERED = 10_000
KEY_SECONDS = 60.0
"""How long a key's row is believed; a revoked one is refused sooner, by the meter's mark."""
_NOBODY: tuple[float, None] = (0.0, None)


class Identity:
    """Who calls, by the rules of one configuration; raises Misconfigured for unsafe ones.

    It does not ask whether a credential was revoked: every request's take does, by
    `caller.credential`.
    """

    def __init__(self, config: Config, platform: Platform) -> None:
        self._platform = platform
        self._sessions = config.server.dashboard
        self._clock = platform.clock
        self._tables = platform.tables
        self._trusted = Networks(config.server.trusted_proxies)
        self._admin_roles = frozenset(config.auth.admin_roles)
        self._tiers = frozenset(config.tiers) | {FREE}
        authorities = [_authority(issuer, platform) for issuer in config.auth.issuers]
        self._tokens = Tokens(authorities, config.auth.leeway_seconds)
        self._remembered: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._digests: dict[str, bytes] = {}

    async def identify(self, request: Request, optional: bool = False) -> Caller:
        """The caller; raises Unauthorized, HeaderTooLarge, BadRequest or Unavailable.

        Unavailable: the keys to check it with are out of reach. With `optional`, all but BadRequest
        make an anonymous caller that carries the error as `refusal`.
        """
        try:
            try:
                credential = shown(request)
            except Unauthorized as missing:
                credential = await self._resumed(request, missing)
            digest = sha256(credential.encode()).digest()
            until, caller = self._remembered.get(digest, _NOBODY)
            if caller is not None and self._clock.now() < until:
                self._remembered.move_to_end(digest)
            else:
                caller = await self._check(credential, digest)
        except (Unauthorized, HeaderTooLarge, Unavailable) as refusal:
            if not optional:
                raise
            return anonymous(self.address(request), refusal)
        address = client_address(request, self._trusted) if self._trusted else request.client
        return caller if caller.address == address else self._moved(digest, caller, address)

    async def session(self, request: Request) -> Session:
        """The dashboard's session that a cookie stands for; raises Unauthorized, Forbidden."""
        from penstock.auth import sessions  # few have one

        return await sessions.resume(self._platform, request, self._trusted)

    def browser(self, request: Request) -> Browser:
        """What a request tells of the page it comes from."""
        from penstock.auth.sessions import Browser

        return Browser(request, self._platform, self._trusted)

    def address(self, request: Request) -> str:
        """The client's address, believing trusted proxies only."""
        return client_address(request, self._trusted)

    def forget(self, credential: str) -> None:
        """Drops what `Caller.credential` names, so that the next request has it checked again."""
        digest = self._digests.pop(credential, None)
        if digest is not None:
            del self._remembered[digest]

    async def _resumed(self, request: Request, missing: Unauthorized) -> str:
        """The credential of a cookie, put where the request would have shown it; raises Forbidden for a foreign page's."""
        if missing.code != "missing_credential" or request.header("cookie") is None:
            raise missing
        if not self._sessions:
            raise missing
        from penstock.auth.sessions import counts_at

        if not counts_at(request.path):
            raise missing
        credential = (await self.session(request)).credential
        request.headers = [*request.headers, ("authorization", f"Bearer {credential}")]
        return credential

    async def _check(self, credential: str, digest: bytes) -> Caller:
        now = self._clock.now()
        if credential.startswith(keys.PREFIX):
            caller = await self._by_key(credential, now)
            until = min(now + KEY_SECONDS, caller.exp or now + KEY_SECONDS)
        else:
            claims = await self._tokens.claims(credential, now)
            known_by = keys.hash_of(credential)
            caller = caller_of_token(claims, known_by, self._tiers, self._admin_roles)
            until = caller.exp
        self._remember(digest, until, caller)
        return caller

    def _remember(self, digest: bytes, until: float, caller: Caller) -> None:
        # One entry a credential, whichever of its signatures it came with.
        self.forget(caller.credential)
        self._digests[caller.credential] = digest
        self._remembered[digest] = until, caller
        if len(self._remembered) > MOST_REMEMBERED:
            _, (_, dropped) = self._remembered.popitem(last=False)
            del self._digests[dropped.credential]

    async def _by_key(self, credential: str, now: float) -> Caller:
        if not keys.looks_like_key(credential):
            raise refusals.invalid_key()
        found = await keys.find(self._tables, keys.hash_of(credential))
        if found is None or found.revoked_at or (found.expires_at and found.expires_at <= now):
            raise refusals.invalid_key()
        return caller_of_key(found, self._tiers)

    def _moved(self, digest: bytes, caller: Caller, address: str) -> Caller:
        moved = replace(caller, address=address)
        if digest in self._remembered:
            self._remembered[digest] = self._remembered[digest][0], moved
        return moved


def _authority(issuer: Issuer, platform: Platform) -> Authority:
    finder = None
    if issuer.mode == "jwks":
        finder = KeySet(issuer.jwks_url, issuer.algorithms, platform)
    return Authority(issuer, platform.crypto, finder)
