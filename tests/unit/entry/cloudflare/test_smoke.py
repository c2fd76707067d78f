"""What was deployed is asked until it answers as this version, or has had its time."""

from __future__ import annotations

import json

import pytest

from penstock import __version__
from penstock.entry.cloudflare.smoke import PAUSE_SECONDS, TRIES, smoke
from penstock.entry.cloudflare.wrangler import Undeployed

GOOD = json.dumps({"status": "healthy", "version": __version__}).encode()


def asked(*answers):
    """A `get` that gives these in turn, the last for ever; and the pauses that were made."""
    left = [*answers]
    pauses: list[float] = []

    def get(url):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return get, pauses


def test_it_waits_for_this_version_and_readiness():
    old = json.dumps({"version": "0.0.1"}).encode()
    get, pauses = asked(
        OSError(), (404, b"nothing"), (200, old), (200, GOOD), (503, b"{}"), (200, GOOD), (200, b"")
    )
    smoke("https://a.example/", get, pauses.append)
    assert pauses == [PAUSE_SECONDS] * 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OSError(), "out of reach"),
        ((500, b"[]"), "/health answers 500 of version unknown"),
        ((200, b"<html>"), "/health answers 200 of version unknown"),
    ],
)
def test_it_gives_up_with_what_was_said_last(answer, said):
    get, pauses = asked(answer)
    with pytest.raises(Undeployed, match=said):
        smoke("https://a.example", get, pauses.append)
    assert len(pauses) == TRIES - 1


def test_a_problem_reply_is_told():
    problem = json.dumps({"title": "x", "detail": "binding\nDB is missing"}).encode()

    def get(url):
        return (200, GOOD) if url.endswith("/health") else (503, problem)

    with pytest.raises(Undeployed, match="/readyz answers 503: binding DB is missing"):
        smoke("https://a.example", get, lambda _: None)
