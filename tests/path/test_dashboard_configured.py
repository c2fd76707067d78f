"""Routes, routers, tiers, budgets and documents as the dashboard shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.gateway import certificates
from penstock.ledger import labels
from penstock.ledger.labels import Label
from penstock.routing import features
from tests.path.dashboard import code
from tests.path.world import World, body

DAY_MS = 86_400_000
LEARNED = """
[routes.smart]
policy = "learned"
simple = "cheap/gpt-4o-mini"
strong = "dear/gpt-4o"
quality = 0.9
[routes.smart.shadow]
share = 0.5
money = "1.00"
judge = "dear/gpt-4o"
[tenants.private]
shadow = false
[[budgets]]
per = "user"
period = "day"
tier = "free"
money = "1.50"
[tiers.gold]
requests_per_hour = 7
scale = 3
parallel = 2
"""


def learned() -> World:
    """One with a learned route, as the entry would fill it in."""
    from penstock.entry.routers import text_of

    text = text_of("").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return World(more=LEARNED.replace("quality = 0.9\n", f'quality = 0.9\nartefact = "{text}"\n'))


async def asked(world: World, path: str, query: str = "") -> dict[str, Any]:
    response = await world.get(f"/admin/{path}", query, world.token("root", role="admin"))
    found: dict[str, Any] = await body(response)
    assert response.status == 200, found
    return found


def label(n: int, at: int, tenant: str = "t") -> Label:
    """The strong target gains where the message is long."""
    gains = n % 3 == 0
    seen = {"version": features.VERSION, "slots": [n % 7], "length": 10, "complexity": "simple"}
    return Label(
        f"req_{n}", f"shd_{n}", at, f"{tenant}/u{n}", tenant, "smart", "j", "w", "s", 0.2 if gains else 1.0, 1.0,
        10, 100, json.dumps(seen), "a very private question",
    )  # fmt: skip


async def keep(world: World, many: int, at: int, tenant: str = "t") -> None:
    await world.platform.tables.batch(*[labels.put(label(n, at + n, tenant)) for n in range(many)])


async def test_every_route_with_its_offers_and_prices() -> None:
    found = await asked(World(), "routing")
    routes = {one["route"]: one for one in found["routes"]}
    assert {"auto", "embed"} <= routes.keys()
    auto = routes["auto"]
    assert (auto["policy"], auto["verb"], auto["model"], auto["shadow"]) == (
        "heuristic",
        "chat",
        None,
        None,
    )
    prices = {one["target"]: one["price"] for one in auto["offers"]}
    assert prices["dear/gpt-4o"] == {"input": 2.5, "output": 10, "cachedInput": 1.25}
    assert (found["artefact"], found["certificate"]) == (None, None)
    assert found["labels"] == {"rows": 0, "newest": None, "byRoute": {}}


async def test_a_learned_router_with_what_it_was_made_of() -> None:
    found = await asked(learned(), "routing")
    smart = next(one for one in found["routes"] if one["route"] == "smart")
    assert smart["model"] == found["artefact"]
    assert (smart["quality"], smart["shadow"]["weak"], smart["shadow"]["moneyPerDay"]) == (
        0.9, "cheap/gpt-4o-mini", "1.00",
    )  # fmt: skip
    assert found["artefact"]["rows"] > 0
    assert found["artefact"]["trust"]
    assert 0 < found["artefact"]["figures"]["apgrLow"] <= found["artefact"]["figures"]["apgr"]
    none = found["certificate"]
    assert (none["certified"], none["rows"], none["route"]) == (None, 0, "smart")
    assert "labels" in none["reason"]


async def test_labels_since_it_was_made_say_whether_it_gains() -> None:
    world = learned()
    now = int(world.platform.clock.now() * 1000)
    await keep(world, 300, now - DAY_MS)
    found = await asked(world, "routing")
    told = found["certificate"]
    assert found["labels"]["rows"] == 300
    assert found["labels"]["byRoute"] == {"smart": 300}
    assert (told["rows"], told["target"]) == (300, 0.9)
    assert isinstance(told["certified"], bool)
    assert told["quality"]["low"] <= told["quality"]["value"] <= told["quality"]["high"]
    assert "private" not in json.dumps(found)


async def test_labels_of_before_and_of_who_does_not_agree_say_nothing() -> None:
    """What it may have learned from cannot show how good it is."""
    world = learned()
    now = int(world.platform.clock.now() * 1000)
    await keep(world, 100, 1_000)
    assert (await asked(world, "routing"))["certificate"]["rows"] == 0
    await world.platform.tables.batch(("delete from labels", ()))
    await keep(world, 100, now, "private")
    told = (await asked(world, "routing"))["certificate"]
    assert (told["rows"], told["certified"]) == (0, None)


async def test_only_the_newest_labels_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MOST", 60)
    world = learned()
    await keep(world, 100, int(world.platform.clock.now() * 1000))
    assert (await asked(world, "routing"))["certificate"]["rows"] == 60


async def test_tiers_tell_every_rate_as_it_holds() -> None:
    found = await asked(learned(), "limits")
    tiers = {one["name"]: one for one in found["tiers"]}
    gold, free = tiers["gold"], tiers["free"]
    assert (gold["rate"], gold["window"], gold["parallel"], gold["tokensPerMinute"]) == (
        7,
        3600,
        2,
        None,
    )
    assert gold["endpoints"]["chat"] == {"rate": 300, "window": 3600}
    assert gold["endpoints"]["login"] == {"rate": 10, "window": 900}
    assert free["endpoints"]["rag"] == {"rate": 50, "window": 3600}
    assert set(free["endpoints"]) == {"chat", "rag", "other", "register", "login"}
    assert found["budgets"] == [
        {
            "per": "user",
            "period": "day",
            "name": None,
            "tier": "free",
            "money": "1.50",
            "tokens": None,
        }
    ]


async def uploaded(world: World) -> list[str]:
    """Three documents of two tenants, one of them failed."""
    insert = (
        "insert into documents (id, owner, hash, filename, declared, kind, title, bytes, shared, state, reason, message,"
        " model, chunks, done, tenant, sub, tier, key_id, at, changed_at, holder, lease_until, tries)"
        " values ($1, $2, $3, 'a.txt', '', 'text', '', 5, 0, $4, $5, '', '', 2, 2, $6, 's', 'free', '', 1000, 2000, '', 0, 0)"
    )
    rows = [("doc_1", "acme", "ready", ""), ("doc_2", "b", "failed", "document_empty"), ("doc_3", "acme", "queued", ""),
            ("doc_4", "acme", "deleted", "")]  # fmt: skip
    for id, tenant, state, reason in rows:
        await world.platform.tables.batch((insert, (id, f"{tenant}/s", id, state, reason, tenant)))
    return [row[0] for row in rows]


async def test_everybodys_documents_without_what_stands_in_them() -> None:
    world = World()
    await uploaded(world)
    found = await asked(world, "documents")
    assert [one["id"] for one in found["documents"]] == ["doc_3", "doc_2", "doc_1"]
    assert found["byStatus"] == {"failed": 1, "queued": 1, "ready": 1}
    assert found["documents"][1] == {
        "id": "doc_2", "tenant": "b", "owner": "s", "shared": False, "filename": "a.txt", "status": "failed", "size": 5,
        "chunks": 2, "error": "document_empty", "created": "1970-01-01T00:00:01.000Z",
        "updated": "1970-01-01T00:00:02.000Z",
    }  # fmt: skip
    page = await asked(world, "documents", "limit=1&tenant=acme")
    assert ([one["id"] for one in page["documents"]], page["next"]) == (["doc_3"], "doc_3")
    assert page["byStatus"] == {"queued": 1, "ready": 1}
    last = await asked(world, "documents", f"limit=1&tenant=acme&before={page['next']}")
    assert ([one["id"] for one in last["documents"]], last["next"]) == (["doc_1"], None)
    failed = await asked(world, "documents", "status=failed")
    assert [one["id"] for one in failed["documents"]] == ["doc_2"]


@pytest.mark.parametrize(
    ("path", "query"),
    [("documents", "limit=0"), ("documents", "before=req_1"), ("documents", "status=deleted"), ("documents", "status="),
     ("documents", "tenant="), ("documents", "x=1"), ("routing", "x=1"), ("limits", "x=1")],
)  # fmt: skip
async def test_bad_questions_are_told_so(path: str, query: str) -> None:
    world = World()
    response = await world.get(f"/admin/{path}", query, world.token("root", role="admin"))
    assert await code(response) == (400, "invalid_field")


@pytest.mark.parametrize("path", ["documents", "routing", "limits"])
async def test_only_an_admin_is_told(path: str) -> None:
    world = World()
    assert (await world.get(f"/admin/{path}")).status == 403
    assert (await world.ask(f"/admin/{path}", method="GET", token=None)).status == 401
