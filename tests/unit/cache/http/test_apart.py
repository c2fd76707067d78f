"""Whatever is asked, in whatever order and at the same time: nobody gets what was made for another, or for another request."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cache.http.rules import Rules
from penstock.wire.http import Request, Response
from tests.unit.cache.http.scene import Parts, Scene, get

VARIES = {"/plain": [], "/foo": ["foo"], "/both": ["foo", "bar"]}
CONTROLS = ["max-age=60", "max-age=5, stale-while-revalidate=30", "no-cache", "public, max-age=60", "private", "no-store"]  # fmt: skip

values = st.sampled_from(["1", "2", "1, 2"])
asked = st.tuples(
    st.sampled_from([*VARIES]),
    st.sampled_from(["", "a", "b"]),
    st.fixed_dictionaries(
        {},
        optional={"foo": values, "bar": values, "cache-control": st.sampled_from(["no-cache", "max-stale"])},
    ),
)  # fmt: skip
steps = st.lists(
    st.one_of(st.lists(asked, min_size=2, max_size=6), st.sampled_from([1.0, 10.0, 100.0])),
    max_size=8,
)


def made_for(request: Request, *, personal: bool) -> dict[str, str | None]:
    """What a reply to this request depends on."""
    names = [*VARIES[request.path], *(["authorization"] if personal else [])]
    return {"target": request.path, **{name: request.header(name) for name in names}}


def request_of(target: str, owner: str, headers: dict[str, str]) -> Request:
    request = get(target)
    request.headers = [*request.headers, *headers.items()]
    if owner:
        request.headers.append(("authorization", f"Bearer {owner}"))
    return request


@pytest.mark.parametrize("key", ["owner", "shared"])
@settings(max_examples=200, deadline=None)
@given(steps=steps, control=st.sampled_from(CONTROLS), streamed=st.booleans(), tagged=st.booleans(), ttl=st.none() | st.just(20))  # fmt: skip
async def test_nobody_gets_another_s(
    key: str,
    steps: list[list[tuple[str, str, dict[str, str]]] | float],
    control: str,
    streamed: bool,
    tagged: bool,
    ttl: int | None,
) -> None:
    """Where all share, what nobody's credential was sent for is for all, and so is what its origin calls `public`."""
    shared = key == "shared" and "public" in control

    async def origin(request: Request) -> Response:
        await asyncio.sleep(0)
        said = json.dumps(made_for(request, personal=not shared)).encode()
        headers = [("cache-control", control), ("vary", ", ".join(VARIES[request.path]))]
        if tagged:
            tag = json.dumps(said.hex())
            headers.append(("etag", tag))
            if tag == request.header("if-none-match"):
                return Response(304, headers)
        return Response(200, headers, Parts(said[:9], said[9:]) if streamed else said)

    scene = Scene(origin, Rules("r", ttl=ttl, key="shared" if key == "shared" else "owner"))
    for step in steps:
        if isinstance(step, float):
            scene.clock.advance(step)
            continue
        requests = [request_of(*one) for one in step]
        replies = await asyncio.gather(*[scene(request) for request in requests])
        for request, response in zip(requests, replies, strict=True):
            assert isinstance(response.body, bytes)
            said, wanted = json.loads(response.body), made_for(request, personal=not shared)
            if key == "shared" and said.get("authorization", "") is None:
                wanted["authorization"] = None
            assert said == wanted
    await scene.world.spawn.join()
