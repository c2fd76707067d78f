"""The public suite of HTTP caches (npm: http-cache-tests) against ours, or against any proxy.

    make bench-cache                        # all of it, with what failed
    make bench-cache ARGS=--json            # counts and failures as JSON
    make bench-cache ARGS="--id vary-match" # one test, with what went over the wire
    make bench-cache ARGS=--bare            # the cache alone, without the gateway around it
    make bench-cache ARGS="--base http://127.0.0.1:8787 --origin 8000"  # a proxy of yours before that origin

Ours is `penstock serve --config deploy/cache-tests.toml`, at free ports and in a directory of its own. A test counts as passed where the suite says so, whatever it depends on; tests for browsers alone are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from bench.cache_front import serve  # noqa: E402 - needs the path above

SUITE = ROOT / "bench" / "http" / "node_modules" / "http-cache-tests"
SUITE_SECONDS = 300
CONFIG = ROOT / "deploy" / "cache-tests.toml"
LIST = """
const all = (await import('./tests/index.mjs')).default
const more = (await import('./tests/surrogate-control.mjs')).default
const told = []
for (const suite of [...all, more]) {
  for (const test of suite.tests) {
    if (!test.browser_only) told.push({id: test.id, suite: suite.id, kind: test.kind || 'required'})
  }
}
console.log(JSON.stringify(told))
"""


async def node(*arguments: str, **settings: str) -> str:
    """What a program of the suite prints."""
    env = {**os.environ, "npm_package_config_id": ""}
    env |= {f"npm_config_{name}": value for name, value in settings.items()}
    command = ["node", "--no-warnings", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=SUITE, env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(SUITE_SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return out.decode()


async def origin(port: int) -> asyncio.subprocess.Process:
    """The suite's own origin, once it takes connections."""
    settings = {"protocol": "http", "port": str(port), "pidfile": os.devnull}
    process = await asyncio.create_subprocess_exec(
        "node", "--no-warnings", "server/server.mjs",
        cwd=SUITE,
        env={**os.environ, **{f"npm_config_{name}": value for name, value in settings.items()}},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return process
    process.terminate()
    raise SystemExit(f"The suite's origin does not listen on port {port}.")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@asynccontextmanager
async def gateway(port: int) -> AsyncGenerator[str]:
    """The whole gateway before that origin, as anybody would start it."""
    with tempfile.TemporaryDirectory(prefix="cache-tests-") as home:
        env = {**os.environ, "PENSTOCK_DATA": home, "CACHE_TESTS_ORIGIN": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "penstock", "serve", "--config", str(CONFIG), "--port", "0",
            env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        try:
            said = b""
            while not said.startswith(b"listening on "):
                said = await process.stderr.readline()
                if not said:
                    raise SystemExit("penstock did not start.")
            yield said.decode().split()[-1]
        finally:
            process.terminate()
            sys.stderr.write((await process.stderr.read()).decode())
            await process.wait()


@asynccontextmanager
async def bare(port: int) -> AsyncGenerator[str]:
    """Nothing but the cache before it."""
    on = socket.create_server(("127.0.0.1", 0))
    on.setblocking(False)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(f"http://127.0.0.1:{port}", on, stop))
    try:
        yield f"http://127.0.0.1:{on.getsockname()[1]}"
    finally:
        stop.set()
        await serving


async def measured(base: str, port: int, only: str, *, alone: bool) -> str:
    """The suite's client against a proxy; ours is started where none is named."""
    process = await origin(port)
    try:
        if base:
            return await node("cli.mjs", base=base, id=only)
        async with bare(port) if alone else gateway(port) as ours:
            return await node("cli.mjs", base=ours, id=only)
    finally:
        process.terminate()
        await process.wait()


def counted(results: dict[str, Any], tests: list[dict[str, str]]) -> dict[str, Any]:
    """How many of each kind passed, and which did not."""
    passed, of = Counter[str](), Counter[str]()
    failed: dict[str, dict[str, str]] = {"required": {}, "optimal": {}, "check": {}}
    for test in tests:
        kind, result = test["kind"], results.get(test["id"])
        of[kind] += 1
        if result is True:
            passed[kind] += 1
        else:
            failed[kind][test["id"]] = ": ".join(result) if result else "not run"
    return {
        "suite": "http-cache-tests 0.4.5",
        **{kind: {"passed": passed[kind], "of": of[kind]} for kind in failed},
        "failed": {kind: failed[kind] for kind in ("required", "optimal")},
        "checks_no": sorted(failed["check"]),
    }


def told(figures: dict[str, Any]) -> None:
    """The counts and the failures, for people."""
    for kind in ("required", "optimal", "check"):
        print(f"{kind:9} {figures[kind]['passed']:4} of {figures[kind]['of']}")
    for kind, failures in figures["failed"].items():
        print(f"\n{kind}, failed:")
        for test, why in failures.items():
            print(f"  {test}: {why}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--id", default="", help="one test, verbosely")
    parser.add_argument("--bare", action="store_true", help="the cache alone")
    parser.add_argument("--base", default="", help="another proxy's URL")
    parser.add_argument("--origin", type=int, default=0, help="the port of the origin behind it")
    given = parser.parse_args()
    out = await measured(given.base, given.origin or free_port(), given.id, alone=given.bare)
    if given.id:
        print(out)
        return
    figures = counted(json.loads(out), json.loads(await node("--input-type=module", "-e", LIST)))
    if given.json:
        print(json.dumps(figures, indent=2))
    else:
        told(figures)


if __name__ == "__main__":
    asyncio.run(main())
