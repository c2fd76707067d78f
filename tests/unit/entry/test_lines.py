"""Log lines: JSON, one each, and nothing in them of what callers and exceptions say."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from penstock.entry.lines import as_json, request_line, told_path
from penstock.wire.http import Request

CANARY = "canary-3c9d"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.canary-3c9d.signature"


def test_a_request_is_told_without_its_query_headers_and_body() -> None:
    request = Request(
        "GET", f"http://u:{CANARY}@host/v1/models?key={CANARY}".encode(), "/v1/models", f"key={CANARY}",
        [("authorization", CANARY), ("cookie", CANARY), ("user-agent", CANARY)], "192.0.2.1",
        CANARY.encode(), notes={"id": "req_1"},
    )  # fmt: skip
    line = request_line(request, 1.23456, 200, 0.0123456)
    assert line == {
        "level": "info", "at": 1.235, "method": "GET", "path": "/v1/models", "status": 200, "ms": 12.346,
        "id": "req_1",
    }  # fmt: skip
    assert request_line(request, 1.0, 502, 0.0)["level"] == "error"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions", "/api/ai/chat/completions", "/admin/reports/overview", "/",
        "/v1/requests/req_" + "0a" * 16, "/api/orders/6f1c2d34-0a1b-4c2d-8e3f-0123456789ab",
        "/api/a-rather-long-name-of-a-resource",
    ],
)  # fmt: skip
def test_a_plain_path_is_told_whole(path: str) -> None:
    assert told_path(path) == path


@pytest.mark.parametrize("secret", [TOKEN, "sk-" + CANARY * 3, "pk-" + "A1b2" * 10, "ü" * 30])
def test_a_token_in_a_path_is_not(secret: str) -> None:
    told = told_path(f"/api/auth/verify/{secret}/again")
    assert told == f"/api/auth/verify/{secret[:4]}…/again"
    assert CANARY not in told


def test_a_long_path_is_cut() -> None:
    assert len(told_path("/a" * 5_000)) == 200


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_own_warnings_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with as_json():
        logging.getLogger("penstock.ledger.journal").error("%d rows are\nlost", 2)
        logging.getLogger("penstock.ledger.journal").info("not told")
    assert lines(capsys) == [
        {"level": "error", "logger": "penstock.ledger.journal", "message": "2 rows are\nlost"}
    ]


def test_what_libraries_write_is_not_told_but_where(capsys: pytest.CaptureFixture[str]) -> None:
    with as_json():
        logging.getLogger("library").warning("about %s", CANARY)
        try:
            raise ValueError(CANARY)
        except ValueError:
            logging.getLogger("library").exception(CANARY)
            logging.getLogger("penstock.x").exception("it failed")
    warned, failed, ours = lines(capsys)
    assert warned["where"].startswith("test_lines.py:")
    assert (failed["level"], failed["error"]) == ("error", "ValueError")
    assert ours["message"] == "it failed"
    assert CANARY not in repr((warned, failed, ours))


def test_a_task_that_nobody_asked_after_is_told_without_its_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise ValueError(CANARY)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(fail())
        await asyncio.wait([task])
        loop.call_exception_handler(
            {"message": CANARY, "exception": task.exception(), "task": task}
        )

    with as_json():
        asyncio.run(work())
    [line] = lines(capsys)
    assert (line["logger"], line["error"]) == ("asyncio", "ValueError")
    assert CANARY not in repr(line)


def test_nothing_stays_behind() -> None:
    before = list(logging.getLogger().handlers)
    with as_json():
        assert len(logging.getLogger().handlers) == len(before) + 1
    assert logging.getLogger().handlers == before
