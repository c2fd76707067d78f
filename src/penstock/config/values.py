"""The whole configuration as frozen values. The docstring of a setting is its meaning in the reference and the schema."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from penstock.config.accounts import Accounts, Billing
from penstock.config.alerting import Alert, Alerting
from penstock.config.bounds import (
    Count,
    DrainSeconds,
    Patience,
    Port,
    Positive,
)
from penstock.config.costs import Cost, Savings
from penstock.config.deployments import Deployment, Own, TenantKeys
from penstock.config.labels import Labels, Tenant
from penstock.config.mail import MailServer
from penstock.config.monthly import MonthlyReport
from penstock.config.proxied import Backend, ServiceCache, WebSockets
from penstock.config.rag import Rag
from penstock.config.routed import Route, TimeoutSettings, Verb
from penstock.config.stores import Cache, Stores
from penstock.config.telemetry import Telemetry
from penstock.config.tiers import Tier

Kind = Literal["openai", "anthropic", "workers_ai", "sandbox", "local", "hashed", "service"]
Scale = Literal["tier", "none"]


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """Where and how the gateway listens."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8787
    """Port to listen on; 0 takes any free one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and CF-Connecting-IP are believed."""
    max_body_bytes: Positive = 10_000_000
    """Largest request body taken; a larger one is refused with 413."""
    max_bodies_bytes: Positive = 128 << 20
    """Large request bodies in memory at once, all together; one without room is refused with 503 `overloaded`. In work one takes about three times its size."""
    max_concurrent: Positive = 4096
    """Requests running at once, streams included; a fifth is kept for `/admin/*`. Who finds no slot within a second gets 503 `overloaded`."""
    max_connections: Positive = 4096
    """Connections open at once; more wait outside. At most half the files that the process may open."""
    notice_seconds: Patience = 0.0
    """How long it still takes requests after SIGTERM, while `/readyz` says already that it is not ready."""
    grace_seconds: Patience = 20.0
    """How long requests in the air may then take to end; a stream that takes longer ends with an error event."""
    access_log: bool = True
    """One JSON line a request on standard output; never bodies or credentials."""
    docs: bool = True
    """Whether `/docs` and `/openapi.json` are served."""
    dashboard: bool = True
    """Whether `/dashboard` is served, with its sessions."""
    unpriced: Literal["budget", "allow", "refuse"] = "budget"
    """Calls to targets without a price: `allow` counts them as free, `refuse` turns them down, `budget` turns them down where a money budget holds."""


class Issuer(Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs tokens. `hs256` holds one shared secret; `jwks` fetches public keys."""

    mode: Literal["hs256", "jwks"] = "hs256"
    """How its signatures are checked."""
    issuer: str = ""
    """The `iss` its tokens must carry; required for jwks, not checked where empty."""
    audience: str = ""
    """The `aud` its tokens must carry; required for jwks, not checked where empty."""
    secret: str = ""
    """The shared secret of an hs256 issuer, at least 32 bytes."""
    jwks_url: str = ""
    """Where a jwks issuer publishes its public keys, by https (plain http on this machine only)."""
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = ("RS256", "ES256", "EdDSA")
    """Algorithms believed of a jwks issuer."""


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """How callers are identified; with no issuer, a development one is made on first run."""

    issuers: tuple[Issuer, ...] = ()
    """Issuers whose tokens are taken; empty: `JWT_SECRET`, else a development issuer."""
    admin_roles: tuple[str, ...] = ("admin",)
    """Values of the `role` claim that add the scope `admin`."""
    leeway_seconds: Count = 60
    """How far clocks may differ when `nbf` and `iat` are checked; `exp` has no leeway."""


class Cors(Struct, frozen=True, forbid_unknown_fields=True):
    """Which web pages may call the gateway."""

    origins: tuple[str, ...] = ("http://localhost:3000",)
    """Origins allowed, with credentials; so never `*`."""


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent in an hour, day or month (UTC). Of several of one `per`, `period` and unit the most particular holds: by `name`, then by `tier`."""

    per: Literal["user", "key", "tenant", "route"]
    """Whose spending is added up."""
    period: Literal["hour", "day", "month"]
    """When it begins again."""
    name: str = ""
    """The one it is for: `SUB` or `TENANT/SUB`, a key's id, a tenant, a route or target; empty: each of them."""
    tier: str = ""
    """Only callers of this tier (per user or key)."""
    money: str = ""
    """Dollars, as `"5.00"`, to nine decimals."""
    tokens: Count = 0
    """Tokens of input and output; 0 = no such budget."""


class OwnPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model costs you, in dollars per million tokens, as `"2.50"`; it goes before the price table."""

    provider: str
    """Name of the provider."""
    model: str
    """The model as the provider calls it."""
    input: str
    """Input."""
    output: str = "0"
    """Output."""
    cached_input: str = ""
    """Input read from the provider's cache; empty: as input, and no conversation is taken to be warm there."""
    cache_write: str = ""
    """Input written to the provider's cache; empty: as input."""
    since: str = ""
    """The UTC day it holds from, `2026-11-01`; empty: always. Of several the newest holds."""


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """One endpoint's rate, a table or short as `"100/h"`, `"10/15min"`."""

    requests: Positive
    """Requests admitted in any `window`, for the free tier."""
    window: Positive = 3600
    """Seconds."""
    scale: Scale = "tier"
    """Whether the tier's `scale` multiplies it."""


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    """Where models are reached."""

    kind: Kind
    """The API it speaks; `openai` is any compatible one, `service` a chat service of yours, shown the caller's own Authorization."""
    base_url: str = ""
    """Root of its API; empty: the vendor's own."""
    api_key: str = ""
    """Its key or token, best written `${VAR}`."""
    deployments: tuple[Deployment, ...] = ()
    """Where and by which keys its models are reached, if by more than one; empty: by `base_url` and `api_key`."""
    tenant_keys: Own = "only"
    """What a tenant with a key of its own here is served by: by that only, by that `first` and by ours where it fails, or as if it had none (openai, anthropic)."""
    account: str = ""
    """The account's id (workers_ai); not needed where platform = "cloudflare", whose models are bound to the Worker."""
    path: str = ""
    """Directory of a model on this machine (local)."""
    any_model: bool = False
    """Whether `NAME/whatever` is a target though no such target is configured."""
    idempotent: bool = False
    """Whether it charges a repeated `Idempotency-Key` once, so that a call of unknown outcome may be sent again."""
    on_disconnect: Literal["cancel", "drain", "none"] = "cancel"
    """A stream whose callers have all left: cancelled and charged as the most it can have cost; read on to its usage
    report; or cancelled and charged nothing, at providers that do not charge for one."""
    drain_seconds: DrainSeconds = 25.0
    """How long such a stream is read on (on_disconnect = "drain")."""
    drain_bytes: Positive = 16 << 20
    """How much of it is read on."""
    believed: bool = False
    """Whether the `cost` in its replies, in dollars, is what they cost (service); else our price is."""
    usage_lookup: str = ""
    """Where it tells what a call took: an address with `{id}` for the call's x-request-id, or a path below `base_url` (openai)."""
    max_batch: Count = 0
    """Texts in one embeddings call; 0: as many as its kind takes, 100 (workers_ai) or 2048."""
    free_neurons_per_day: Count = 0
    """Neurons a UTC day that cost nothing (workers_ai). Providers with one account, or all without one, share them: the most that one of them says."""

    @property
    def batch(self) -> int:
        """The most texts in one embeddings call."""
        return self.max_batch or (100 if self.kind == "workers_ai" else 2048)

    @property
    def bound(self) -> bool:
        """Whether its models are bound to the platform: Workers AI without an account, which then needs no key."""
        return self.kind == "workers_ai" and not self.account


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """One model at one provider; its name is `PROVIDER/MODEL`."""

    provider: str
    """Name of the provider."""
    model: str
    """The model as the provider calls it."""
    verb: Verb = "chat"
    """What it does."""
    deployments: tuple[Deployment, ...] = ()
    """Where it is reached, in place of its provider's."""
    stands_for: str = ""
    """The `kind/model` whose price it carries, where that is not its own (sandbox)."""
    context: Positive = 128_000
    """Tokens of input and output it can hold."""
    max_output: Count = 0
    """The most tokens one answer can have where the request caps nothing; 0: as many as its context."""
    default_max_output: Positive = 4096
    """Output cap sent when the caller names none, to kinds that need one (anthropic, workers_ai) and under a budget."""
    image_tokens: Count = 0
    """The most input tokens one image can be; 0: as the price table says of the model, else 50,000."""
    tools: bool = True
    """Whether it takes tools."""
    images: bool = True
    """Whether it takes images."""
    dimension: Count = 0
    """Length of its vectors (embed); 0 = as they come."""

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A service behind the gateway; `auth`, `chat` and `billing` have default prefixes."""

    prefixes: tuple[str, ...] = ()
    """Paths that it answers with all below them, as `/api/orders`, with one segment `/api/orders/{id}`, of one method `GET /api/orders`. The longest that fits counts; the gateway's own paths go before. Empty: by its name."""
    backends: tuple[Backend, ...] = ()
    """Where it is reached."""
    balance: Literal["weighted", "least"] = "weighted"
    """By weight in turn, or to where the fewest requests for its weight are in the air."""
    rewrite: dict[str, str] = field(default_factory=dict)
    """First segments behind the prefix that the service calls otherwise: `register = "signup"`."""
    auth: Literal["required", "optional", "none"] = "required"
    """Whether a caller must show a token; with `none` the gateway looks at no credential, and callers are known by address."""
    public: tuple[str, ...] = ()
    """First segments behind the prefix that ask for no credential; `auth` has register, login and refresh, at `internal://auth` also those of its letters."""
    limit: Limit | None = None
    """How often each caller may ask it; without one its requests count as `other`."""
    max_body_bytes: Positive = 10_000_000
    """Largest request body taken, streamed or not."""
    max_reply_bytes: Positive = 1 << 30
    """Largest reply passed on."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """Its time-outs."""
    attempts: Positive = 3
    """Most backends tried for one request."""
    cookies: Literal["pass", "drop"] = "pass"
    """Whether Cookie and Set-Cookie go through."""
    redirects: Literal["pass", "refuse"] = "pass"
    """Redirects go to the caller, or become 502; they are never followed."""
    forward_authorization: bool = True
    """Whether the service gets the caller's Authorization."""
    failures: Literal["own", "pass"] = "own"
    """A 502, 503 or 504 of the last backend that may be tried becomes a 502 of the gateway's, or is passed as it is."""
    cache: ServiceCache | None = None
    """How replies to GETs are kept; without it not at all, but for `chat`, whose are as the service says."""
    websockets: WebSockets = WebSockets()
    """Tunnels to it."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything; see docs/reference/configuration.md."""

    platform: Literal["embedded", "server", "cloudflare"] = "embedded"
    """Where state lives: SQLite in `data`, for one process; or the `stores`, for any number of processes on any number of hosts."""
    data: str = "./.penstock"
    """Directory of everything the gateway keeps; `PENSTOCK_DATA` overrides the default."""
    durability: Literal["process", "power"] = "process"
    """What a hold survives before its call is sent: a killed process, or a power cut."""
    stores: Stores = Stores()
    """Where the processes of platform `server` meet."""
    server: Server = Server()
    """Where and how the gateway listens."""
    auth: Auth = Auth()
    """How callers are identified."""
    cors: Cors = Cors()
    """Which web pages may call the gateway."""
    tiers: dict[str, Tier] = field(default_factory=dict)
    """What each tier may do, laid over the default tiers."""
    limits: dict[str, Limit] = field(default_factory=dict)
    """Rates of chat, rag, other, register and login, laid over the default limits."""
    providers: dict[str, Provider] = field(default_factory=dict)
    """Where models are reached, by name; none: those the environment names, else the sandbox."""
    targets: tuple[Target, ...] = ()
    """Models; a provider without any gets those of its kind in the price table."""
    routes: dict[str, Route] = field(default_factory=dict)
    """Choices of targets, by name; `auto` and `embed` are filled where they are not given."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Old or short model names → a target or a route."""
    services: dict[str, Service] = field(default_factory=dict)
    """Services behind the gateway, by name; `auth`, `chat` and `billing` may be named by the environment."""
    accounts: Accounts = Accounts()
    """What is kept of registrations and login attempts."""
    billing: Billing = Billing()
    """What the gateway does for the service `billing`."""
    cache: Cache = Cache()
    """Where answers are kept."""
    budgets: tuple[Budget, ...] = ()
    """What may be spent, and by whom."""
    costs: tuple[Cost, ...] = ()
    """What a month costs beside the models, to compare with what it may; none: the first design's own figures."""
    savings: Savings = Savings()
    """What savings are told against."""
    alerting: Alerting = Alerting()
    """Where notices of what goes wrong are sent."""
    alerts: tuple[Alert, ...] = ()
    """What is told there; none: a standing set, where there is a channel."""
    mail: MailServer = MailServer()
    """The mail server that letters to operators go by."""
    monthly_report: MonthlyReport = MonthlyReport()
    """The report of each month, once it is over."""
    tenant_keys: TenantKeys = TenantKeys()
    """Keys of their own that tenants have at providers, kept sealed."""
    rag: Rag = Rag()
    """Documents that callers upload and search."""
    tenants: dict[str, Tenant] = field(default_factory=dict)
    """What tenants agreed to, by name; one that is not here to what stands as default."""
    labels: Labels = Labels()
    """What is kept for routers to learn from."""
    telemetry: Telemetry = Telemetry()
    """OpenTelemetry's spans and metrics, and where they go."""
    prices: tuple[OwnPrice, ...] = ()
    """Negotiated prices, and those of models that the price table does not know."""


class KnownModel(Struct, frozen=True):
    """A model of the price table, as far as a default target needs it."""

    model: str
    verb: Verb = "chat"
    context: int = 128_000
    max_output: int = 4096
    dimension: int = 0
    tools: bool = True
    images: bool = True
