"""Policies that were not there before: by weight, by cost, as learned."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from penstock.config import decode, defaults
from penstock.entry.routers import opened, text_of, with_routers
from penstock.errors import Misconfigured
from penstock.routing.learned import Learned
from penstock.routing.offers import Offer
from penstock.routing.router import InvalidRouter
from penstock.routing.routes import Routes, Way
from penstock.wire.chat import Ask, decode_chat
from tests.path.world import CONFIG

TODAY = "2026-11-27"
BOTH = '["cheap/gpt-4o-mini", "dear/gpt-4o"]'
LEARNED = """
[routes.taught]
policy = "learned"
simple = "cheap/gpt-4o-mini"
strong = "dear/gpt-4o"
"""


def way(more: str, name: str) -> Way:
    config, _ = defaults(decode(CONFIG + more, {}), {})
    return Routes(with_routers(config)[0], TODAY).find(name, "chat")


def ask(text: str = "hello", **more) -> Ask:
    body = {"model": "x", "messages": [{"role": "user", "content": text}], **more}
    return decode_chat(json.dumps(body).encode())


def names(offers: tuple[Offer, ...]) -> list[str]:
    return [offer.name for offer in offers]


def test_by_weight_each_target_has_its_share_and_a_repeated_ask_its_target() -> None:
    found = way(f'[routes.w]\npolicy = "weighted"\ntargets = {BOTH}\nweights = [3, 1]\n', "w")
    firsts: Counter[str] = Counter()
    for at in range(1_000):
        one = ask(f"ask {at}")
        choice = found.policy.rank(one, found.offers)
        assert choice == found.policy.rank(one, found.offers)
        assert len(choice.offers) == 2
        firsts[choice.offers[0].name] += 1
    assert firsts["cheap/gpt-4o-mini"] == pytest.approx(750, abs=60)
    alone = found.policy.rank(ask(), found.offers[1:])
    assert names(alone.offers) == ["dear/gpt-4o"]
    assert found.policy.rank(ask(), ()).offers == ()


def test_the_cheapest_that_fits_goes_first() -> None:
    more = '[routes.c]\npolicy = "cheapest-that-fits"\ntargets = ["dear/gpt-4o", "cheap/gpt-4o-mini"]\n'
    found = way(more, "c")
    assert names(found.policy.rank(ask(), found.offers).offers) == [
        "cheap/gpt-4o-mini",
        "dear/gpt-4o",
    ]


def test_as_learned_an_ask_goes_by_its_score() -> None:
    ends = []
    for target in ("quality = 1.0", "quality = 0.0", "strong_share = 1.0", "strong_share = 0.0"):
        found = way(f"{LEARNED}{target}\n", "taught")
        choice = found.policy.rank(ask(), found.offers)
        ends.append(choice.reason)
        assert len(choice.offers) == 2
        assert choice.offers[0].name == (
            "dear/gpt-4o" if choice.reason == "strong" else "cheap/gpt-4o-mini"
        )
    assert ends == ["strong", "weak", "strong", "weak"]


def test_a_decision_tells_score_threshold_and_router() -> None:
    found = way(LEARNED, "taught")
    seen = found.policy.rank(ask(), found.offers).features
    assert seen["router"] == opened("default").name
    assert (seen["score"] >= seen["threshold"]) == (
        found.policy.rank(ask(), found.offers).reason == "strong"
    )


def test_what_cannot_take_the_ask_is_left_out() -> None:
    found = way(LEARNED, "taught")
    for offer in found.offers:
        assert found.policy.rank(ask(), (offer,)).offers == (offer,)


def test_a_weak_target_that_is_no_cheaper_is_not_worth_it() -> None:
    found = way(LEARNED, "taught")
    weak, strong = found.offers
    turned = Learned(strong, weak, opened("default"), 0.0)
    choice = turned.rank(ask(), found.offers)
    assert choice.reason == "weak is no cheaper"
    assert choice.offers[0] is weak


def test_auto_is_filled_in_for_a_learned_route_too() -> None:
    given = CONFIG.replace(
        'policy = "heuristic"\nsimple = "cheap/gpt-4o-mini"\nmedium = "cheap/gpt-4o-mini"\nstrong = "dear/gpt-4o"',
        'policy = "learned"',
    )
    config, _ = defaults(decode(given, {}), {})
    route = config.routes["auto"]
    assert (route.simple, route.strong) == ("cheap/gpt-4o-mini", "dear/gpt-4o")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[routes.x]\npolicy = "learned"\nstrong = "dear/gpt-4o"\n', "routes.x.simple is empty"),
        (LEARNED + "quality = 0.9\nstrong_share = 0.5\n", "cannot both hold"),
        (LEARNED + 'verb = "embed"\n', "for embed set fixed"),
        (f'[routes.x]\npolicy = "weighted"\ntargets = {BOTH}\nweights = [1]\n', "as many"),
        ('[routes.x]\npolicy = "weighted"\n', "targets is empty"),
        (
            '[routes.x]\npolicy = "cheapest-that-fits"\nverb = "embed"\n'
            'targets = ["cheap/text-embedding-3-small"]\n',
            "for embed set fixed",
        ),
    ],
)
def test_what_does_not_fit_is_named(more: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        defaults(decode(CONFIG + more, {}), {})


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(Misconfigured):
        decode(LEARNED + "quality = 95\n", {})


def test_a_router_that_is_none_stops_the_start(tmp_path) -> None:
    file = tmp_path / "my.router"
    for content in (b"", b"\xff", text_of("").replace('"rows": 5132', '"rows": 9').encode()):
        file.write_bytes(content)
        with pytest.raises(InvalidRouter):
            way(f'{LEARNED}model = "{file}"\n', "taught")
    with pytest.raises(Misconfigured, match="cannot be read"):
        way(f'{LEARNED}model = "{tmp_path / "none"}"\n', "taught")


def test_a_router_of_ones_own_is_used(tmp_path) -> None:
    file = tmp_path / "my.router"
    file.write_text(text_of(""))
    assert way(f'{LEARNED}model = "{file}"\n', "taught").policy.name == "learned"


def test_the_one_that_comes_along_says_how_far_to_trust_it() -> None:
    config, _ = defaults(decode(CONFIG + LEARNED, {}), {})
    _, notes = with_routers(config)
    assert len(notes) == 1
    assert "not from your traffic" in notes[0]
    assert opened("default").rows == 5_132


def test_a_target_named_twice_has_both_weights() -> None:
    three = '["cheap/gpt-4o-mini", "dear/gpt-4o", "cheap/gpt-4o-mini"]'
    found = way(f'[routes.w]\npolicy = "weighted"\ntargets = {three}\nweights = [1, 2, 1]\n', "w")
    firsts = Counter(
        found.policy.rank(ask(f"ask {at}"), found.offers).offers[0].name for at in range(1_000)
    )
    assert firsts["cheap/gpt-4o-mini"] == pytest.approx(500, abs=70)


def test_one_target_for_both_is_tried_once() -> None:
    found = way(LEARNED.replace("dear/gpt-4o", "cheap/gpt-4o-mini"), "taught")
    assert names(found.policy.rank(ask(), found.offers).offers) == ["cheap/gpt-4o-mini"]


def test_who_has_no_learned_route_never_loads_one() -> None:
    """A Worker parses what it imports: these modules are for those who use them."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, penstock.gateway; print([n for n in sys.modules if n.startswith('penstock.routing')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("learned", "router", "features", "fit", "labels", "sparse"):
        assert f"penstock.routing.{name}'" not in told.stdout
