"""Deploys a project to an account: finds or makes what it stands on, migrates, deploys, tries it, and rolls back if it fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from penstock.entry.cloudflare import adopt, project, smoke
from penstock.entry.cloudflare.choices import Choices
from penstock.entry.cloudflare.judge import Judged
from penstock.entry.cloudflare.wrangler import Ran, Undeployed, Wrangler, spoken

ABSENT = re.compile(r"not found|does not exist|\b10006\b|\b10007\b", re.IGNORECASE)
REASON = "the smoke test of penstock deploy cloudflare failed"


class Work(NamedTuple):
    """What deploying is done with; `env` has the secrets, `say` is told of each step before it is taken."""

    folder: Path
    judged: Judged
    package: Mapping[str, tuple[str, bytes]]
    env: Mapping[str, str]
    wrangler: Wrangler
    say: Callable[[str], None]
    get: smoke.Get
    pause: Callable[[float], None]

    def run(self, what: str, *words: str, stdin: str = "") -> Ran:
        self.say(f"{what}: {spoken(words)}")
        return self.wrangler.run(*words, stdin=stdin)


class Deployed(NamedTuple):
    """What stands now, and where."""

    choices: Choices
    url: str
    version: str
    adopted: list[str]


def apply(work: Work, choices: Choices) -> Deployed:
    """All of it, whatever of it was done before; raises Undeployed or Misconfigured.

    Nothing is made before it is known that no secret is missing, and the tables of a Worker that serves are touched last.
    """
    there = existing_secrets(work)
    values = secrets(work, there or set())
    earlier = "" if there is None else current(work)
    choices = resources(work, choices)
    project.save(work.folder, choices, project.files(choices, work.judged, work.package))
    adopted = firsts(work)
    if values:
        put = json.dumps(values)
        work.run(f"secrets {', '.join(values)}", "secret", "bulk", stdin=put).good()
    first = there is None and work.judged.probed
    meter = project.METER_FIRST if first else project.METER
    work.run("the meter", "deploy", "--config", meter).good()
    rename_first(work, adopted)
    try:
        migrate(work)
        url, version = deploy(work, choices)
    except Undeployed as error:
        raise Undeployed(error.message + rename_back(work, adopted)) from error
    try:
        work.say(f"trying {url}/health and {url}/readyz")
        smoke.smoke(url, work.get, work.pause)
    except Undeployed as error:
        raise Undeployed(f"{error.message}; {roll_back(work, earlier, adopted)}") from error
    if first:
        work.run("the meter, bound to the gateway", "deploy", "--config", project.METER).good()
    return Deployed(choices, url, version, adopted)


def existing_secrets(work: Work) -> set[str] | None:
    """The names of those that were put already, None where there is no such Worker yet."""
    ran = work.run("what was put already", "secret", "list", "--format", "json")
    if ran.code and ABSENT.search(ran.failure):
        return None
    return {str(secret["name"]) for secret in ran.json()}


def secrets(work: Work, there: set[str]) -> dict[str, str]:
    """Those to put; raises Undeployed where one is neither here nor there."""
    judged = work.judged
    lacking = [name for name in judged.required if not work.env.get(name) and name not in there]
    if lacking:
        raise Undeployed(
            f"{', '.join(lacking)} not set: put each into the environment of this command, or by"
            " `npx wrangler secret put NAME` in the project; JWT_SECRET is made by `openssl rand -hex 32`"
        )
    names = (*judged.required, *judged.optional)
    return {name: work.env[name] for name in names if work.env.get(name)}


def current(work: Work) -> str:
    """The version that serves now, empty where none does."""
    ran = work.run("what serves now", "deployments", "list", "--json")
    if ran.code and ABSENT.search(ran.failure):
        return ""
    newest = max(ran.json(), key=lambda found: str(found.get("created_on", "")), default=None)
    shares = sorted(newest["versions"], key=lambda one: one["percentage"]) if newest else []
    return str(shares[-1]["version_id"]) if shares else ""


def resources(work: Work, choices: Choices) -> Choices:
    """Finds each by its name, or makes it; the choices come back with the ids."""
    if not choices.kv_id:
        choices = replace(choices, kv_id=namespace(work, choices.namespace))
    if not choices.d1_id:
        choices = replace(choices, d1_id=database(work, choices.database))
    bucket(work, choices.bucket)
    if work.judged.dimension:
        index(work, choices.index)
    return choices


def namespace(work: Work, title: str) -> str:
    command = ("KV namespaces", "kv", "namespace", "list")
    found = _id(work.run(*command), "title", title, "id")
    if not found:
        work.run(f"KV namespace {title}", "kv", "namespace", "create", title).good()
        found = _id(work.run(*command), "title", title, "id")
    return _there(found, f"KV namespace {title}", "--kv-id")


def database(work: Work, name: str) -> str:
    command = ("D1 databases", "d1", "list", "--json")
    found = _id(work.run(*command), "name", name, "uuid")
    if not found:
        work.run(f"D1 database {name}", "d1", "create", name).good()
        found = _id(work.run(*command), "name", name, "uuid")
    return _there(found, f"D1 database {name}", "--d1-id")


def bucket(work: Work, name: str) -> None:
    ran = work.run(f"R2 bucket {name}", "r2", "bucket", "info", name, "--json")
    if ran.code and ABSENT.search(ran.failure):
        ran = work.run(f"R2 bucket {name}", "r2", "bucket", "create", name)
    ran.good()


def index(work: Work, name: str) -> None:
    """The index, of the right length, with what it is asked by: before the first vector, or those would not be found."""
    due = work.judged.dimension
    listed = work.run("Vectorize indexes", "vectorize", "list", "--json").json()
    found = [one for one in listed if one.get("name") == name]
    if not found:
        shape = (f"--dimensions={due}", "--metric=cosine")
        work.run(f"Vectorize index {name}", "vectorize", "create", name, *shape).good()
    elif found[0]["config"].get("dimensions") != due:
        target = work.judged.embedder.target
        raise Undeployed(
            f"the Vectorize index {name} has {found[0]['config'].get('dimensions')} dimensions and"
            f" {target.name if target else 'rag.embedding'} makes {due}; name another target in rag.embedding, or"
            " another index by --vectorize-name and have the documents written again"
        )
    command = ("its metadata indexes", "vectorize", "list-metadata-index", name, "--json")
    there = {one["propertyName"] for one in work.run(*command).json()}
    for field in project.METADATA:
        if field not in there:
            asked = (f"--propertyName={field}", "--type=string")
            words = ("vectorize", "create-metadata-index", name, *asked)
            work.run(f"metadata index {field}", *words).good()


def firsts(work: Work) -> list[str]:
    """The statements that put the first design's tables out of our way; raises Misconfigured where they cannot."""
    ran = work.run("the tables that stand", *_execute(adopt.STANDING, "--json"))
    rows = [row for answer in ran.json() for row in answer["results"]]
    return adopt.renames(str(row["name"]) for row in rows)


def rename_first(work: Work, adopted: list[str]) -> None:
    if adopted:
        words = _execute(" ".join(adopted), "--json")
        work.run("the first design's tables are kept as first_*", *words).good()


def migrate(work: Work) -> None:
    work.run("migrations", "d1", "migrations", "apply", "DB", "--remote").good()


def deploy(work: Work, choices: Choices) -> tuple[str, str]:
    """The gateway's address and version."""
    ran = work.run("the gateway", "deploy", "--config", project.GATEWAY).good()
    told: dict[str, Any] = next((e for e in ran.events if e.get("type") == "deploy"), {})
    urls = [str(target) for target in told.get("targets") or () if "://" in str(target)]
    url = choices.url or next(iter(urls), "")
    if not url:
        raise Undeployed(
            "wrangler names no address of what it deployed; name it by --url and repeat"
        )
    return url.rstrip("/"), str(told.get("version_id") or "")


def roll_back(work: Work, version: str, adopted: list[str]) -> str:
    """Has the earlier version serve again, with its tables; says what came of it."""
    unnamed = rename_back(work, adopted)
    if not version:
        return f"there is no earlier version to go back to, so it stays deployed{unnamed}"
    words = ("rollback", version, "--message", REASON, "--yes")
    ran = work.run("back to the version that served before", *words)
    if ran.code:
        return (
            f"going back failed too ({ran.failure}): run `npx wrangler rollback {version}`{unnamed}"
        )
    return f"version {version} serves again{unnamed}"


def rename_back(work: Work, adopted: list[str]) -> str:
    """The first design's Worker, which serves on, looks for its tables under their own names; says what is left to do if
    they could not be given."""
    if not adopted:
        return ""
    words = _execute(" ".join(adopt.renames_back(adopted)), "--json")
    ran = work.run("the first design's tables have their names again", *words)
    if not ran.code:
        return ""
    return f"; its tables still have our names for them ({ran.failure}): run `npx {spoken(words[:-1])}`"


def _execute(sql: str, *more: str) -> tuple[str, ...]:
    return ("d1", "execute", "DB", "--remote", "--command", sql, *more)


def _id(ran: Ran, key: str, name: str, id: str) -> str:
    found = [str(one[id]) for one in ran.json() if one.get(key) == name]
    return found[0] if found else ""


def _there(found: str, what: str, option: str) -> str:
    if not found:
        raise Undeployed(f"the {what} was made and is not listed yet; repeat, or give {option}")
    return found
