"""A shadow: the other target's answer to a chat that was answered, bought at the operator's cost, and both of them judged."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from penstock.config import Route
from penstock.config.shadows import EXACT
from penstock.config.spending import nanos
from penstock.errors import BadRequest, Conflict, Error, Failed, Unavailable, Unheard
from penstock.gateway.labels import Given, Sample, seen
from penstock.gateway.later import later
from penstock.ledger import book, budgets, days, labels
from penstock.ledger.book import Account
from penstock.ledger.budgets import Held
from penstock.ledger.labels import Label
from penstock.limits.estimate import at_most
from penstock.limits.hold import Hold
from penstock.routing import judging
from penstock.routing.offers import Offer
from penstock.routing.policies import fitting
from penstock.upstream.answer import Answer
from penstock.wire import completion
from penstock.wire.chat import DELIVERY_FIELDS, Ask, decode_chat
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

OWNER, SUB, SERVICE = "/shadow", "shadow", "shadow"
"""Whose its rows are: the operator's; no credential can have an empty tenant."""
MOST_REPLY = 1 << 20


class Bought(Struct, frozen=True):
    """A whole answer's text, and what it cost."""

    text: str
    nanos: int


async def run(gateway: Gateway, given: Given, sample: Sample) -> None:
    """All of it, to the label; what fails is counted, and concerns nobody."""
    counted = gateway.lasting.behind.outcomes
    try:
        outcome = await _labelled(gateway, given, sample)
    except (Failed, Unavailable, BadRequest):
        outcome = "failed"
    except Exception as error:  # noqa: BLE001 - nobody waits for it, and its text is nobody's to see
        gateway.report(sample.request_id, error)
        outcome = "failed"
    counted[sample.route, outcome] += 1


async def _labelled(gateway: Gateway, given: Given, sample: Sample) -> str:
    """What came of it: `labelled`, `budget` where that is used up, `empty` where the other said nothing, `unjudged`."""
    account = _account(gateway.platform.ids.new("shd_"), sample.route)
    body = {name: value for name, value in sample.ask.body.items() if name not in DELIVERY_FIELDS}
    ask = replace(sample.ask, body=body, stream=False, include_usage=False)
    fitting(ask, (sample.other,))
    bought = await buy(gateway, account, ask, sample.other, sample)
    if bought is None:
        return "budget"
    if not bought.text or len(bought.text) > judging.MOST_CHARACTERS:
        return "empty"
    weak, strong = (sample.text, bought.text) if sample.strong else (bought.text, sample.text)
    scores = await _judged(gateway, given, sample, account, weak, strong)
    if scores is None:
        return "unjudged"
    label = _label(gateway, sample, account, bought.nanos, (weak, strong), scores)
    write = partial(_write, gateway, label)
    try:
        await write()
    except Unavailable:
        return "labelled" if await later(gateway.platform, write) else "failed"
    return "labelled"


async def _write(gateway: Gateway, label: Label) -> None:
    with suppress(Conflict):  # it stands already: only the answer to the first try was lost
        await gateway.platform.tables.batch(labels.put(label))


async def buy(
    gateway: Gateway, account: Account, ask: Ask, offer: Offer, sample: Sample
) -> Bought | None:
    """One answer under a hold of its own and the shadow's budget; None where that does not have it. Raises Failed, Unavailable."""
    hold = _hold(gateway, account, ask, offer, sample)
    if not await _opened(gateway, hold, ask, offer, sample.settings):
        return None
    try:
        settings = replace(sample.settings, attempts=1)
        answer = await gateway.upstream.send(ask, (offer,), hold, settings)
        try:
            text = await _read(answer)
        finally:
            await answer.aclose()
            await _settle(gateway, answer, hold)
        return Bought(text, hold.amount)
    finally:
        await hold.close()


async def _opened(gateway: Gateway, hold: Hold, ask: Ask, offer: Offer, settings: Route) -> bool:
    """Whether the day's money has what it may cost; then it is held."""
    try:
        await hold.open(offer, settings.timeouts.total, offer.most(ask, capped=True))
    except Conflict as conflict:
        if conflict.name != budgets.CAP:
            raise
        return False
    except Error as error:
        if isinstance(error, Unheard):
            gateway.platform.spawn(_abandon(gateway, hold))
        raise
    except BaseException:
        # A stop came meanwhile: the rows may stand all the same.
        await hold.abandon()
        raise
    return True


async def _abandon(gateway: Gateway, hold: Hold) -> None:
    await later(gateway.platform, hold.abandon)


async def _read(answer: Answer) -> str:
    """The text of a whole answer, empty where it is none that ended by itself; raises Failed."""
    data = b""
    while events := await answer.next():
        for event in events:
            if event.failure is not None:
                raise event.failure
            data += event.data
        if len(data) > MOST_REPLY:
            return ""
    told = completion.read(data)
    return told.text if told.finish == "stop" else ""


async def _settle(gateway: Gateway, answer: Answer, hold: Hold) -> None:
    usage = answer.usage
    if not answer.ended or usage is None:
        usage = at_most(answer.offer.price, usage, hold.most)
    settle = partial(hold.settle, usage)
    try:
        await settle()
    except Unavailable:
        # What was used is known: it is not to be estimated for that.
        if not await later(gateway.platform, settle):
            raise


def _hold(gateway: Gateway, account: Account, ask: Ask, offer: Offer, sample: Sample) -> Hold:
    platform = gateway.platform
    reserve = offer.reserve(ask, capped=True)
    starts, ends = days.span("day", int(platform.clock.now() * 1000))
    name = budgets.name("shadow", "day", "nanos", sample.route)
    held = Held(name, starts, ends, "nanos", nanos(sample.shadow.money) or 0, reserve)
    return Hold(
        platform.tables, platform.meter, platform.clock, account, reserve, None,
        (held,) if reserve else (), capped=True, spent=gateway.counters.spent,
    )  # fmt: skip


def _account(id: str, route: str) -> Account:
    return Account(id, OWNER, "", SUB, "", route, SERVICE)


async def _judged(
    gateway: Gateway, given: Given, sample: Sample, account: Account, weak: str, strong: str
) -> tuple[float, float] | None:
    """Scores of the weak and of the strong answer, None where there is no verdict."""
    judge = sample.shadow.judge
    if judge == EXACT:
        due = judging.normal(sample.reference)
        return float(judging.normal(weak) == due), float(judging.normal(strong) == due)
    scorer = given.scorers.get(sample.route)
    if scorer is not None:
        messages = sample.ask.body["messages"]
        return await scorer(messages, weak), await scorer(messages, strong)
    return await _asked(gateway, sample, account, weak, strong)


async def _asked(
    gateway: Gateway, sample: Sample, account: Account, weak: str, strong: str
) -> tuple[float, float] | None:
    """What a model says of them, once in this order and once in the other, since models prefer a place."""
    there = await _verdict(gateway, sample, book.part(account, 1), weak, strong)
    back = await _verdict(gateway, sample, book.part(account, 2), strong, weak) if there else None
    if there is None or back is None:
        return None
    return (there[0] + back[1]) / 2, (there[1] + back[0]) / 2


async def _verdict(
    gateway: Gateway, sample: Sample, account: Account, first: str, second: str
) -> tuple[float, float] | None:
    judge = gateway.names.routes.find(sample.shadow.judge, "chat").offers[0]
    mark = f"[{gateway.platform.ids.secret(8).hex()}]"
    messages = sample.ask.body["messages"]
    ask = decode_chat(judging.question(judge.target.model, mark, messages, first, second))
    bought = await buy(gateway, account, ask, judge, sample)
    return judging.verdict(bought.text) if bought is not None else None


def _label(
    gateway: Gateway, sample: Sample, account: Account, nanos: int, texts: tuple[str, str], scores: tuple[float, float]
) -> Label:  # fmt: skip
    names = sample.answered.name, sample.other.name
    costs = sample.nanos, nanos
    if not sample.strong:  # the strong one answered, and the weak one is the shadow
        names, costs = names[::-1], costs[::-1]
    kept = texts if sample.keep else ("", "")
    prompt = encode(sample.ask.body["messages"]).decode() if sample.keep else ""
    return Label(
        sample.request_id, account.request_id, int(gateway.platform.clock.now() * 1000), sample.owner, sample.tenant,
        sample.route, sample.shadow.judge, *names, *scores, *costs, seen(sample.ask), prompt, *kept,
    )  # fmt: skip
