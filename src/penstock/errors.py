"""Everything the gateway can refuse or fail with.

Error                          status  code                     what a caller should do
├── Refused                                                     do not retry unchanged
│   ├── BadRequest             400     invalid_request          fix the body
│   ├── Unauthorized           401     invalid_api_key          send a valid credential
│   ├── Forbidden              403     insufficient_scope       ask for the scope
│   ├── NotFound               404     not_found
│   │   └── ModelNotFound      404     model_not_found          name a configured target or route
│   ├── NotAllowed             405     method_not_allowed
│   ├── Repeated               409     idempotency_in_flight    repeat later; other codes: take a new key
│   ├── TooLarge               413     body_too_large           send less
│   ├── UnsupportedEncoding    415     unsupported_encoding     send the body as it is
│   ├── WrongVersion           426     websocket_version        speak WebSocket 13
│   ├── Unreadable             422     document_…               send another file; the message says which
│   ├── KeyReused              422     idempotency_key_reused   take a new key
│   ├── HeaderTooLarge         431     header_too_large         send a shorter credential
│   ├── RateLimited            429     rate_limit_exceeded      wait `retry_after`
│   └── OutOfBudget            429     insufficient_quota       raise the budget
├── Failed                     502     upstream_failed          may be retried
│   ├── NotSent                502     upstream_unreachable     nothing left this machine
│   ├── Broken                 502     upstream_broken          sent, outcome unknown
│   ├── Stalled                504     upstream_timeout         a time-out named by its phase
│   ├── Cut                    502     upstream_too_large       the reply passed its cap
│   └── Cooling                503     upstream_cooling         wait `retry-after`; nothing was sent
├── Unavailable                503     service_unavailable      a store is down or nothing is configured
│   └── Unheard                503     service_unavailable      asked, outcome unknown
├── Overloaded                 503     overloaded               wait `retry-after` and ask again; nothing was done
├── NoTunnel                   501     websocket_unsupported    ask a home that has WebSockets
└── Misconfigured          503     (start-up) what is wrong in which setting, and the mend
    └── WrongModel             (also later) an index was made with another embedding model

Two more never leave the process: `Conflict`, a violated named constraint of `Tables`, and `Missing`, an
optional dependency that is not installed.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Literal, TypeVar

Processed = Literal["yes", "no", "unknown"]


class Error(Exception):
    """The gateway failed in a way it did not foresee."""

    status = 500
    code = "internal_error"
    type = "server_error"
    text = "Internal Server Error"

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        text: str = "",
        param: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        **extra: Any,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().split("\n")[0]
        super().__init__(self.message)
        self.code = code or type(self).code
        self.text = text or type(self).text
        self.param = param
        self.headers = headers
        self.extra = extra


E = TypeVar("E", bound=Error)


def again(error: E) -> E:
    """The same error for one more of those whom it concerns: one object raised for all would gather all their traces."""
    return copy(error)


class Refused(Error):
    """The request was understood and turned down."""

    status = 400
    type = "invalid_request_error"


class BadRequest(Refused):
    """The request is not valid."""

    code = "invalid_request"
    text = "Bad Request"


class Unauthorized(Refused):
    """No valid credential was sent."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"
    text = "Unauthorized"


class Forbidden(Refused):
    """The credential lacks the scope for this."""

    status = 403
    code = "insufficient_scope"
    type = "permission_error"
    text = "Forbidden"


class NotFound(Refused):
    """There is nothing here."""

    status = 404
    code = "not_found"
    text = "Not Found"


class ModelNotFound(NotFound):
    """The model is neither a configured target nor a route."""

    code = "model_not_found"


class NotAllowed(Refused):
    """This path does not take that method."""

    status = 405
    code = "method_not_allowed"
    text = "Method Not Allowed"


class Repeated(Refused):
    """A request with this Idempotency-Key is being answered: repeat it later."""

    status = 409
    code = "idempotency_in_flight"
    text = "Conflict"


class TooLarge(Refused):
    """The request body is larger than this server takes."""

    status = 413
    code = "body_too_large"
    text = "Payload Too Large"


class UnsupportedEncoding(Refused):
    """This server takes no encoded body: send it without content-encoding."""

    status = 415
    code = "unsupported_encoding"
    text = "Unsupported Media Type"


class WrongVersion(Refused):
    """This server speaks version 13 of the WebSocket protocol, RFC 6455."""

    status = 426
    code = "websocket_version"
    text = "Upgrade Required"


class Unreadable(Refused):
    """The document cannot be read as text; its code says why."""

    status = 422
    text = "Unprocessable Content"


class KeyReused(Refused):
    """This Idempotency-Key was used for another path or body: take a new key for a new request."""

    status = 422
    code = "idempotency_key_reused"
    text = "Unprocessable Content"


class HeaderTooLarge(Refused):
    """A header is larger than this server takes."""

    status = 431
    code = "header_too_large"
    text = "Request Header Fields Too Large"


class RateLimited(Refused):
    """Too many requests: wait as long as retry-after says."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    text = "Rate limit exceeded"


class OutOfBudget(Refused):
    """The budget for this caller is used up."""

    status = 429
    code = "insufficient_quota"
    type = "insufficient_quota"
    text = "Daily quota exceeded"


class Failed(Error):
    """The target did not answer this request.

    `processed` says whether the target may have done (and billed) the work; `upstream_status` is its HTTP
    status, 0 where there was none; `retry_after` is in seconds; `retryable` where another target may do better.
    """

    status = 502
    code = "upstream_failed"
    text = "Backend error"

    def __init__(
        self,
        message: str = "",
        *,
        processed: Processed = "unknown",
        upstream_status: int = 0,
        retry_after: float | None = None,
        retryable: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.processed = processed
        self.upstream_status = upstream_status
        self.retry_after = retry_after
        self.retryable = retryable


class NotSent(Failed):
    """The target could not be reached; nothing was sent."""

    code = "upstream_unreachable"

    def __init__(self, message: str = "", **more: Any) -> None:
        super().__init__(message, processed="no", **more)


class Broken(Failed):
    """The connection to the target broke after the request was sent."""

    code = "upstream_broken"


class Stalled(Failed):
    """The target took longer than its time-out."""

    status = 504
    code = "upstream_timeout"


class Overlong(Stalled):
    """It was not over by its total time-out, however much came until then."""


class Cut(Failed):
    """The target's reply was larger than its cap."""

    code = "upstream_too_large"


class Cooling(Failed):
    """The target has asked to be left alone, or its limits are used up: wait as long as retry-after says."""

    status = 503
    code = "upstream_cooling"
    text = "Service unavailable"

    def __init__(self, message: str = "", **more: Any) -> None:
        super().__init__(message, processed="no", **more)


class Unavailable(Error):
    """A store this needs is out of reach, or nothing is configured for it."""

    status = 503
    code = "service_unavailable"
    text = "Service unavailable"


class Overloaded(Error):
    """The gateway has more to do than it keeps up with, and did nothing of this request: ask again after `retry-after`."""

    status = 503
    code = "overloaded"
    text = "Service overloaded"


class NoTunnel(Error):
    """WebSockets are not passed through on this platform; nothing was sent."""

    status = 501
    code = "websocket_unsupported"
    text = "Not Implemented"


class Unheard(Unavailable):
    """A store was asked and did not answer: what it was asked may have been done all the same."""


class Misconfigured(Error):
    """The configuration cannot be used; the message names the setting and the mend."""

    status = 503
    code = "misconfigured"
    text = "Service unavailable"


class WrongModel(Misconfigured):
    """The index was made with another embedding model: name that one in the configuration, or make the index anew."""


class Missing(Error):
    """An optional part is not installed; the message names the command that installs it."""

    code = "not_installed"


class Conflict(Error):
    """A named constraint was violated and nothing was written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"constraint {name} violated")
        self.name = name
