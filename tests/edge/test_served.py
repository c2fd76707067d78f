"""What was written is served: by `wrangler dev` where it can run, and by the harness everywhere, on the project's own files.

Nothing but HTTP is asked, so that the same holds of any address.
"""

from __future__ import annotations

import shutil
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from load.fake_provider import FakeProvider
from penstock import __version__
from penstock.auth.mint import mint
from penstock.entry.cloudflare import project, rehearse, sources
from penstock.entry.cloudflare.choices import Choices
from penstock.entry.cloudflare.judge import judge
from penstock.entry.known import known_models
from penstock.entry.settings import today
from penstock.errors import Error
from tests.clients.process import until
from tests.edge import dev
from tests.edge.home import PACKAGES
from tests.edge.worker import SECRET, Worker

CHAT = "/v1/chat/completions"
SETTINGS = """
[providers.sandbox]
kind = "sandbox"
[providers.openai]
kind = "openai"
base_url = "${OPENAI_BASE_URL}"
api_key = "${OPENAI_API_KEY}"
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
[routes.embed]
verb = "embed"
targets = ["hashed/hashed-lexical-384"]
[providers.hashed]
kind = "hashed"
"""


class Served(NamedTuple):
    """An address and the provider behind it."""

    url: str
    fake: FakeProvider

    def ask(self, path: str, body: Any = None, sub: str = "alice") -> httpx.Response:
        method = "GET" if body is None else "POST"
        return httpx.request(method, self.url + path, json=body, headers=_as(sub), timeout=60.0)

    def requests(self, sub: str) -> int:
        """How many of a caller's requests have ended, by the books."""
        found: int = self.ask("/v1/usage", sub=sub).json()["totals"]["requests"]
        return found


def _as(sub: str) -> dict[str, str]:
    return {"authorization": f"Bearer {mint({'sub': sub}, SECRET, now=time.time())}"}


def chat(text: str, model: str = "sandbox/gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def write(folder: Path, variables: dict[str, str]) -> None:
    judged = judge(SETTINGS, variables, known_models(today()))
    project.write(folder, project.files(Choices(), judged, sources.packaged()))
    modules = folder / project.MODULES
    shutil.copytree(PACKAGES, modules, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module", params=["harness", "wrangler dev"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    if request.param == "wrangler dev":
        try:
            rehearse.check_local()
        except Error as why:
            pytest.skip(why.message)
    folder = tmp_path_factory.mktemp("project")
    with FakeProvider() as fake:
        variables = {"JWT_SECRET": SECRET, "OPENAI_API_KEY": "sk-fake"}
        variables["OPENAI_BASE_URL"] = f"{fake.url}/v1"
        write(folder, variables)
        if request.param == "wrangler dev":
            with dev.serving(folder, variables) as url:
                yield Served(url, fake)
            return
        # The harness has the meter's object in its own Worker, and looks for it here.
        place = folder / "src" / project.METER_OBJECT
        shutil.copy(folder / "meter" / "meter_object.js", place)
        packages = folder / project.MODULES
        settings = tomllib.loads(SETTINGS)
        with Worker(settings, variables, source=folder / "src", packages=packages) as worker:
            yield Served(worker.url, fake)


def test_health_is_of_this_version(served: Served) -> None:
    told = httpx.get(f"{served.url}/health", timeout=60.0).json()
    assert (told["status"], told["version"]) == ("healthy", __version__)
    assert httpx.get(f"{served.url}/readyz", timeout=60.0).status_code == 200


def test_without_a_token_nothing_is_answered(served: Served) -> None:
    refused = httpx.post(served.url + CHAT, json=chat("hello"), timeout=60.0)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "missing_credential"


def test_a_chat_is_answered_and_then_kept(served: Served) -> None:
    first, second = (served.ask(CHAT, chat("hello")) for _ in range(2))
    assert "[sandbox]" in first.json()["choices"][0]["message"]["content"]
    assert first.headers["x-penstock-cache"] == "miss"
    assert second.headers["x-penstock-cache"] == "hit"


def test_a_provider_is_reached(served: Served) -> None:
    told = served.ask(CHAT, chat("[[words:5]] hello", "openai/gpt-4o-mini"), "reaching")
    assert told.status_code == 200, told.text
    assert told.json()["usage"]["completion_tokens"] == 5


def test_a_stream_comes_whole(served: Served) -> None:
    body = chat("[[words:7]] count", "openai/gpt-4o-mini", stream=True)
    with httpx.stream("POST", served.url + CHAT, json=body, headers=_as("s"), timeout=60.0) as told:
        lines = [line for line in told.iter_lines() if line]
    assert len(lines) > 7
    assert lines[-1] == "data: [DONE]"


def test_a_client_that_leaves_is_noticed_upstream_and_in_the_books(served: Served) -> None:
    served.fake.reset()
    body = chat("[[words:40]] [[fault:gate=20]] tell", "openai/gpt-4o-mini", stream=True)
    headers = _as("leaver")
    with httpx.stream("POST", served.url + CHAT, json=body, headers=headers, timeout=60.0) as told:
        next(told.iter_lines())
    assert served.fake.meter(finished=1)["rows"][0]["state"] == "cut"
    until(lambda: served.requests("leaver") == 1, 20.0)


def test_requests_share_nothing_that_one_of_them_waits_for(served: Served) -> None:
    def one(number: int) -> int:
        return served.ask(CHAT, chat(f"question {number % 4}"), f"caller {number}").status_code

    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(one, range(24))] == [200] * 24
