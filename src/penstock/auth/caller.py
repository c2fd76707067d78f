"""A caller: everything the gateway knows of who asks."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import force_setattr

from penstock.auth import scopes
from penstock.auth.addresses import home
from penstock.errors import Error, Forbidden

FREE = "free"
DEFAULT_TENANT = "default"
_HASH_DIGITS = 12


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks and what they may do; `owner` and `hash` always follow from tenant and sub."""

    sub: str
    tenant: str = DEFAULT_TENANT
    tier: str = FREE
    scopes: frozenset[str] = scopes.DEFAULT
    email: str = ""
    role: str = ""
    credential: str = ""
    """`keys.hash_of` the token or key: the key of its revocation mark; empty without one."""
    exp: float = 0.0
    """When the credential ends, in seconds since the epoch; 0 = never."""
    key_id: str = ""
    """Of an API key; empty for a token."""
    address: str = ""
    anonymous: bool = False
    refusal: Error | None = None
    """Why an anonymous caller is not somebody: raised where the route wants a credential."""
    owner: str = ""
    """Whose documents, answers and rows these are: no two (tenant, sub) share one."""
    hash: str = ""
    """Names the owner in logs."""

    def __post_init__(self) -> None:
        owner = owner_of(self.tenant, self.sub)
        if self.owner == owner and self.hash:
            return  # a copy of the same caller, with another address
        force_setattr(self, "owner", owner)
        force_setattr(self, "hash", sha256(owner.encode()).hexdigest()[:_HASH_DIGITS])


def owner_of(tenant: str, sub: str) -> str:
    """`tenant/sub` with the tenant percent-encoded, so that its first slash is the border."""
    return f"{tenant if tenant.isalnum() and tenant.isascii() else quote(tenant, safe='')}/{sub}"


def owner_named(text: str) -> str:
    """The owner whom people write as `SUB` or `TENANT/SUB`, as they are called and not encoded."""
    tenant, slash, sub = text.partition("/")
    return owner_of(tenant, sub) if slash else owner_of(DEFAULT_TENANT, text)


def anonymous(address: str, refusal: Error) -> Caller:
    """A caller known by its address alone; its empty tenant is none that a credential can have."""
    return Caller(
        sub=f"ip:{home(address)}",
        tenant="",
        scopes=scopes.ANONYMOUS,
        address=address,
        anonymous=True,
        refusal=refusal,
    )


def authenticated(caller: Caller) -> None:
    """Refuses an anonymous caller with the reason it is one."""
    if caller.refusal is not None:
        raise caller.refusal


def require(caller: Caller, scope: str) -> None:
    """Lets only callers with the scope pass.

    Raises the caller's own refusal where it is anonymous, else Forbidden naming the scope.
    """
    if scope in caller.scopes:
        return
    authenticated(caller)
    raise Forbidden(f"This needs a credential with the scope `{scope}`.")
