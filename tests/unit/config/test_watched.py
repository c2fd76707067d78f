"""Channels and rules of alerts: every refusal with what to do, and what holds where little is said."""

from __future__ import annotations

import pytest

from penstock.config import decode, defaults
from penstock.config.watched import PRESET, rules
from penstock.errors import Misconfigured

OPS = '[alerting.channels.ops]\nkind = "webhook"\nurl = "https://hooks.test/x"\n'
MAIL = '[mail]\nhost = "mail.test"\nsender = "us@mail.test"\n'
POST = '[alerting.channels.post]\nkind = "email"\nto = ["ops@mail.test"]\n'


def made(text: str, env: dict[str, str] | None = None):
    return defaults(decode(text, env or {}), {})[0]


def rule(kind: str, more: str = "") -> str:
    return f'{OPS}[[alerts]]\nkind = "{kind}"\n{more}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OPS.replace("https://hooks.test/x", ""), "alerting.channels.ops.url is no http or https address"),
        (OPS.replace("https://", "ftp://"), "alerting.channels.ops.url is no http"),
        (OPS.replace("https://", "internal://"), "alerting.channels.ops.url is no http"),
        (OPS.replace("hooks.test", "me:pw@hooks.test"), "alerting.channels.ops.url is no http"),
        (OPS.replace("ops]", "'a b']"), 'alerting.channels."a b" is no name'),
        (OPS + 'secret = "short"', "alerting.channels.ops.secret is shorter than 16 bytes; make one by"),
        (OPS + 'to = ["a@b.test"]', "alerting.channels.ops.to does not go with kind webhook; remove it"),
        (OPS.replace("webhook", "slack").replace("https", "http"), "alerting.channels.ops.url would send a secret in clear"),
        (OPS.replace("webhook", "slack") + f'secret = "{"s" * 16}"', "alerting.channels.ops.secret does not go with kind slack"),
        (POST, "alerting.channels.post is of kind email, and mail.host is empty; fill in [mail]"),
        (POST.replace("[\"ops@mail.test\"]", "[]") + MAIL, "alerting.channels.post.to must have 1 to 50 addresses"),
        (POST.replace("ops@", "ops\\nBcc: eve@") + MAIL, "alerting.channels.post.to[0] is no address; write it as"),
        ('platform = "cloudflare"\n' + POST + MAIL, "alerting.channels.post is of kind email, and a Worker reaches no mail server"),
        ('[[alerts]]\nkind = "budget"', "alerts[0] has nobody to tell; add [alerting.channels.NAME]"),
        (rule("budget", 'to = ["nobody"]'), "alerts[0].to[0] names no channel; there are ops"),
        (rule("budget", "drop = 0.5"), "alerts[0].drop does not go with kind budget; remove it"),
        (rule("spend_rate", 'money = "lots"'), "alerts[0].money is no amount of dollars above 0"),
        (rule("spend_rate", 'tenant = "a"\neach = "route"'), "alerts[0].tenant stands alone; remove each"),
        (rule("errors", "hours = 13"), "alerts[0].hours is at most 12 for errors; lower it"),
        (rule("errors", "objective = 0.9"), "alerts[0] never fires: 14.4 times the errors that an objective of 0.9 bears are"),
        (rule("errors", "objective = 0.5\nfactor = 2.1"), "alerts[0] never fires: 2.1 times"),
        (rule("errors", 'each = "provider"'), "alerts[0].each is provider, and a request that nobody answered is no"),
        (rule("errors", 'provider = "sandbox"'), "alerts[0].provider does not go with kind errors; remove it"),
        (rule("errors", 'route = "nowhere"'), "alerts[0].route names no route that is configured; change it"),
        (rule("provider_down", 'provider = "nobody"'), "alerts[0].provider names no provider that is configured"),
        (rule("backend_down", 'service = "nothing"'), "alerts[0].service names no service that is configured"),
        (rule("budget") + '\n[[alerts]]\nkind = "budget"', "alerts[1] is a second rule called budget; give it a name"),
        (rule("budget", f'name = "{"x" * 61}"'), "alerts[0].name is longer than 60 characters"),
        (rule("budget", "share = 1.5"), "alerts[0].share must be"),
        (rule("weather"), "alerts[0].kind must be one of"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_mend(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        made(text)
    assert refused.value.message.startswith(said)


def test_the_largest_factor_that_a_refusal_names_can_fire() -> None:
    for objective in (0.5, 0.9, 0.95, 0.3, 0.05):
        with pytest.raises(Misconfigured) as refused:
            made(rule("errors", f"objective = {objective}\nfactor = 900"))
        most = refused.value.message.rpartition(" ")[2]
        [errors] = rules(made(rule("errors", f"objective = {objective}\nfactor = {most}")))
        assert errors.factor * (1 - objective) <= 1


def test_secrets_come_from_the_environment() -> None:
    text = OPS.replace("https://hooks.test/x", "${HOOK}") + 'secret = "${SIGN}"'
    config = made(text, {"HOOK": "http://127.0.0.1:9/x", "SIGN": "s" * 16})
    channel = config.alerting.channels["ops"]
    assert (channel.url, channel.secret) == ("http://127.0.0.1:9/x", "s" * 16)


def test_a_channel_without_rules_has_the_standing_set_unless_it_is_turned_off() -> None:
    assert rules(made("")) == ()
    assert [one.alert for one in rules(made(OPS))] == list(PRESET)
    assert not rules(made(OPS + "[alerting]\npreset = false"))
    assert len(rules(made(rule("budget")))) == 1


def test_what_a_rule_does_not_say_is_as_its_kind_has_it() -> None:
    [errors] = rules(made(rule("errors")))
    assert (errors.factor, errors.hours, errors.least_requests) == (14.4, 1, 20)
    assert (errors.for_ms, errors.recover_ms, errors.repeat_ms) == (0, 300_000, 86_400_000)
    assert errors.to == ("ops",)
    [amount] = rules(made(rule("spend_rate", 'money = "2.50"')))
    assert (amount.money, amount.factor, amount.least_money) == (2_500_000_000, 0.0, 10**9)
    [down] = rules(made(rule("provider_down", "recover_minutes = 0")))
    assert (down.for_ms, down.recover_ms) == (120_000, 0)
