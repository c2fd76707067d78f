"""Cross-origin requests: listed origins only, preflights answered before identification."""

from __future__ import annotations

from penstock.wire.http import Request, Response

ALLOWED = "Authorization, Content-Type, X-Api-Key, X-Refresh-Token, Idempotency-Key"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
EXPOSED = (
    "x-request-id, retry-after, X-Cache, x-should-retry, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    "RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, x-penstock-target, "
    "x-penstock-cache, x-penstock-cost-nanos, x-penstock-overhead-us, x-penstock-max-output, x-penstock-replayed"
)
VARY = ("vary", "Origin")
MAX_AGE = "600"


class Cors:
    """Decides by the configured origins; `*` never, since credentials are allowed. Without any, no reply depends on one."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def knows(self, origin: str) -> bool:
        """Whether pages of that origin may call the gateway."""
        return origin in self._origins

    def preflight(self, request: Request) -> Response | None:
        """The answer to a preflight; None where a request by OPTIONS is not one."""
        if request.header("access-control-request-method") is None:
            return None
        headers = self.headers(request)
        if len(headers) > 1:
            headers += [
                ("access-control-allow-methods", METHODS),
                ("access-control-allow-headers", ALLOWED),
                ("access-control-max-age", MAX_AGE),
            ]
        return Response(204, headers)

    def headers(self, request: Request) -> list[tuple[str, str]]:
        """What a reply says to a browser: nothing for an origin that is not listed."""
        if not self._origins:
            return []
        origin = request.header("origin")
        if origin is None or origin not in self._origins:
            return [VARY]
        return [
            VARY,
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", EXPOSED),
        ]
