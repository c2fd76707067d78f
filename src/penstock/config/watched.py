"""The rules of alerts as they hold: what each kind takes, what it has where nothing is said, and the standing set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.config.alerting import Alert, AlertKind, Channel, ChannelKind
from penstock.config.catalog import join
from penstock.config.mail import HERE, check_addresses
from penstock.config.spending import nanos
from penstock.config.urls import parts_of
from penstock.config.values import Config
from penstock.errors import Misconfigured

MOST_HOURS_OF_ERRORS = 12
"""Its twelfth, an hour, is as far as samples go back."""
MOST_RULES, MOST_CHANNELS, MOST_ADDRESSES, LONGEST_NAME = 50, 20, 50, 60
SECRET_BYTES = 16
_COMMON = frozenset({"kind", "name", "to", "for_minutes", "recover_minutes", "repeat_hours"})
TAKES: Mapping[AlertKind, frozenset[str]] = {
    "spend_rate": frozenset(
        {"each", "route", "provider", "tenant", "hours", "factor", "money", "least_money"}
    ),
    "budget": frozenset({"share"}),
    "errors": frozenset({"each", "route", "hours", "factor", "objective", "least_requests"}),
    "hit_rate": frozenset({"each", "route", "provider", "hours", "drop", "least_requests"}),
    "provider_down": frozenset({"provider"}),
    "backend_down": frozenset({"service"}),
}
"""What a kind takes beside what all do."""
_CHANNEL_TAKES: Mapping[ChannelKind, frozenset[str]] = {
    "webhook": frozenset({"url", "secret"}), "slack": frozenset({"url"}), "email": frozenset({"to"}),
}  # fmt: skip
PRESET = (
    Alert("spend_rate"),
    Alert("budget"),
    Alert("errors"),
    Alert("errors", name="errors-slow", hours=6, factor=6.0),
    Alert("hit_rate"),
    Alert("provider_down"),
    Alert("backend_down"),
)
_FACTORS = {"spend_rate": 3.0, "errors": 14.4}
_LEAST_REQUESTS = {"errors": 20, "hit_rate": 200}
_FOR_MINUTES = {"provider_down": 2, "backend_down": 2}
RECOVER_MINUTES = 5


class Rule(Struct, frozen=True):
    """One rule with all that it says; amounts in nano-dollars, times in milliseconds."""

    alert: Alert
    name: str
    to: tuple[str, ...]
    hours: int
    factor: float
    money: int
    least_money: int
    least_requests: int
    for_ms: int
    recover_ms: int
    repeat_ms: int

    @property
    def kind(self) -> AlertKind:
        return self.alert.kind


def rules(config: Config) -> Sequence[Rule]:
    """Those that hold: the configured ones, or the standing set where there is a channel; none without any."""
    channels = tuple(config.alerting.channels)
    if not channels:
        return ()
    alerts = config.alerts or (PRESET if config.alerting.preset else ())
    return [_rule(alert, channels) for alert in alerts]


def _rule(alert: Alert, channels: tuple[str, ...]) -> Rule:
    kind, minute = alert.kind, 60_000
    money = nanos(alert.money) or 0
    lasts = _FOR_MINUTES.get(kind, 0) if alert.for_minutes is None else alert.for_minutes
    after = RECOVER_MINUTES if alert.recover_minutes is None else alert.recover_minutes
    least = nanos(alert.least_money) if alert.least_money else nanos("1.00")
    return Rule(
        alert, alert.name or kind, alert.to or channels, alert.hours or 1,
        alert.factor or (0.0 if money else _FACTORS.get(kind, 0.0)), money, least or 0,
        alert.least_requests or _LEAST_REQUESTS.get(kind, 0),
        lasts * minute, after * minute, alert.repeat_hours * 60 * minute,
    )  # fmt: skip


def check_alerts(config: Config) -> None:
    """Each channel can be reached and each rule be judged; raises Misconfigured."""
    channels = config.alerting.channels
    if len(channels) > MOST_CHANNELS:
        raise Misconfigured(f"alerting.channels has more than {MOST_CHANNELS}; remove some")
    if len(config.alerts) > MOST_RULES:
        raise Misconfigured(f"alerts has more than {MOST_RULES} rules; remove some")
    for name, channel in channels.items():
        _check_channel(config, channel, join("alerting.channels", name))
    seen = set()
    for at, alert in enumerate(config.alerts):
        path = f"alerts[{at}]"
        _check_alert(config, alert, path)
        name = alert.name or alert.kind
        if name in seen:
            raise Misconfigured(f"{path} is a second rule called {name}; give it a name of its own")
        seen.add(name)


def _check_channel(config: Config, channel: Channel, path: str) -> None:
    _only(channel, Channel(channel.kind), _CHANNEL_TAKES[channel.kind] | {"kind"}, path)
    if channel.kind == "email":
        _check_email(config, channel, path)
        return
    url = parts_of(channel.url)
    if url is None or "@" in url.netloc or url.fragment:
        raise Misconfigured(
            f"{path}.url is no http or https address; write it as https://host/path"
        )
    if channel.kind == "slack" and url.scheme != "https" and url.hostname not in HERE:
        raise Misconfigured(
            f"{path}.url would send a secret in clear; write it as https://hooks.slack.com/…"
        )
    if channel.secret and len(channel.secret.encode()) < SECRET_BYTES:
        raise Misconfigured(
            f"{path}.secret is shorter than {SECRET_BYTES} bytes; make one by `openssl rand -hex 32`"
        )


def _check_email(config: Config, channel: Channel, path: str) -> None:
    if config.platform == "cloudflare":
        raise Misconfigured(
            f"{path} is of kind email, and a Worker reaches no mail server; write a channel of kind webhook or slack"
        )
    if not 0 < len(channel.to) <= MOST_ADDRESSES:
        raise Misconfigured(f"{path}.to must have 1 to {MOST_ADDRESSES} addresses; change it")
    check_addresses(channel.to, f"{path}.to")
    if not config.mail.host:
        raise Misconfigured(f"{path} is of kind email, and mail.host is empty; fill in [mail]")


def _check_alert(config: Config, alert: Alert, path: str) -> None:
    _only(alert, Alert(alert.kind), TAKES[alert.kind] | _COMMON, path)
    if len(alert.name) > LONGEST_NAME or not alert.name.isprintable():
        raise Misconfigured(f"{path}.name is longer than {LONGEST_NAME} characters; shorten it")
    if not config.alerting.channels:
        raise Misconfigured(f"{path} has nobody to tell; add [alerting.channels.NAME]")
    if unknown := [one for one in alert.to if one not in config.alerting.channels]:
        known = ", ".join(config.alerting.channels)
        raise Misconfigured(
            f"{path}.to[{alert.to.index(unknown[0])}] names no channel; there are {known}"
        )
    _check_numbers(alert, path)
    _check_ends(config, alert, path)


def _check_numbers(alert: Alert, path: str) -> None:
    for name in ("money", "least_money"):
        if getattr(alert, name) and not nanos(getattr(alert, name)):
            raise Misconfigured(
                f'{path}.{name} is no amount of dollars above 0; write it as "5.00"'
            )
    if alert.kind == "errors" and alert.hours > MOST_HOURS_OF_ERRORS:
        raise Misconfigured(f"{path}.hours is at most {MOST_HOURS_OF_ERRORS} for errors; lower it")
    factor = alert.factor or _FACTORS.get(alert.kind, 0.0)
    if alert.kind == "errors" and factor * (1 - alert.objective) > 1:
        raise Misconfigured(
            f"{path} never fires: {factor:g} times the errors that an objective of {alert.objective:g} bears are more than"
            f" all requests; set factor to at most {math.floor(1 / (1 - alert.objective) * 10) / 10:g}"
        )
    if alert.kind == "errors" and alert.each == "provider":
        raise Misconfigured(
            f"{path}.each is provider, and a request that nobody answered is no provider's; write each = "
            '"route", or a rule of kind provider_down'
        )
    if alert.tenant and (alert.each or alert.route or alert.provider):
        raise Misconfigured(f"{path}.tenant stands alone; remove each, route and provider")


def _check_ends(config: Config, alert: Alert, path: str) -> None:
    """What a rule is about must be there. A target called by its own name counts as a route of that name."""
    targets = {target.name for target in config.targets}
    ends = {
        "route": {*config.routes, *targets}, "provider": {*config.providers}, "service": {*config.services},
    }  # fmt: skip
    for name, known in ends.items():
        if getattr(alert, name) and getattr(alert, name) not in known:
            raise Misconfigured(f"{path}.{name} names no {name} that is configured; change it")


def _only(given: Struct, plain: Struct, takes: frozenset[str], path: str) -> None:
    """Nothing is said that its kind does not take."""
    for name in given.__struct_fields__:
        if name not in takes and getattr(given, name) != getattr(plain, name):
            kind = getattr(given, "kind", "")
            raise Misconfigured(f"{path}.{name} does not go with kind {kind}; remove it")
