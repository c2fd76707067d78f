"""`policy = "learned"`: a request is routed by the router's score, and says so."""

from __future__ import annotations

import json

import pytest

from penstock.config import decode, defaults
from penstock.entry.routers import text_of, with_routers
from penstock.gateway import build
from penstock.routing.router import InvalidRouter
from penstock.wire.http import Response
from tests.path.world import CONFIG, World, body, whole

TAUGHT = """
[routes.taught]
policy = "learned"
simple = "cheap/gpt-4o-mini"
strong = "dear/gpt-4o"
artefact = '''
"""
ARTEFACT = "'''\n"
MOST = "strong_share = 1.0\n"
NONE = "strong_share = 0.0\n"


def world(more: str, upstream=None) -> World:
    return World(upstream, more=TAUGHT + text_of("") + ARTEFACT + more)


@pytest.mark.parametrize(
    ("more", "target", "reason"),
    [(MOST, "dear/gpt-4o", "strong"), (NONE, "cheap/gpt-4o-mini", "weak")],
)
async def test_a_request_goes_by_its_score_and_its_record_says_why(
    more: str, target: str, reason: str
) -> None:
    made = world(more)
    response = await made.chat("Who sang it?", model="taught")
    assert response.status == 200
    assert response.header("x-penstock-target") == target
    await made.gateway.journal.flush()
    ((text,),) = await made.platform.tables.rows("select record from decisions")
    record = json.loads(text)
    assert (record["policy"], record["reason"]) == ("learned", reason)
    assert set(record["features"]) == {
        "score",
        "threshold",
        "router",
        "labels",
        "apgr_least",
        "turns",
    }
    assert record["ranks"][0] == target
    assert len(record["ranks"]) == 2
    assert "sang" not in text


async def test_asks_that_differ_go_different_ways() -> None:
    made = world("strong_share = 0.5\n")
    targets = set()
    for text in (
        "who sang the wreck of the edmund fitzgerald",
        "What is the sum of the roots of $x^2 - 4x + 3 = 0$?",
        "Write a python function to remove negative numbers from a list.",
    ):
        targets.add((await made.chat(text, model="taught")).header("x-penstock-target"))
    assert targets == {"dear/gpt-4o", "cheap/gpt-4o-mini"}


async def test_the_other_target_follows_where_the_first_fails() -> None:
    def upstream(request) -> Response:
        return Response(503, [], b"{}") if b"cheap.test" in request.target else whole("Hi")

    response = await world(NONE, upstream).chat("Hello", model="taught")
    assert response.header("x-penstock-target") == "dear/gpt-4o"
    assert (await body(response))["choices"][0]["message"]["content"] == "Hi"


def test_a_route_without_a_sound_router_stops_the_start() -> None:
    for more in (TAUGHT + "none" + ARTEFACT, TAUGHT.partition("artefact")[0]):
        with pytest.raises(InvalidRouter):
            World(more=more)


def test_a_bad_router_leaves_the_running_gateway_as_it_is() -> None:
    made = world(MOST)
    given, _ = defaults(decode(CONFIG + TAUGHT + "none" + ARTEFACT, {}), {})
    with pytest.raises(InvalidRouter):
        with_routers(given)
    with pytest.raises(InvalidRouter):
        build(given, made.platform, made.gateway.report, before=made.gateway)
    assert made.gateway.names.routes.find("taught", "chat").policy.name == "learned"
