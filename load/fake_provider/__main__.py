"""`python -m load.fake_provider`: starts the fake provider; --help lists what it can be told."""

from __future__ import annotations

import argparse
import asyncio

import msgspec
import uvloop

from load.fake_provider.serve import serve
from load.fake_provider.settings import Price, Settings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m load.fake_provider")
    line.add_argument("--port", type=int, default=0, help="0: any free one")
    line.add_argument("--key", help="the API key asked of every call")
    line.add_argument("--prices", help="JSON file: {model: {input, cached_input, ...}} in nanos")
    line.add_argument("--latency-ms", type=float, default=0, help="before every reply")
    line.add_argument("--stream-chunks", type=int, default=0, help="words in a streamed answer")
    line.add_argument("--chunks-per-second", type=float, default=0, help="0: as fast as it can")
    line.add_argument("--chunk-writes", choices=("each", "batch"), default="each")
    line.add_argument("--no-rows", action="store_true", help="the meter only counts")
    line.add_argument("--max-rows", type=int, default=100_000, help="older ones are dropped")
    line.add_argument("--idempotent", action="store_true", help="charge each idempotency key once")
    line.add_argument("--end-with-stdin", action="store_true", help="end when its input closes")
    line.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="PEM files")
    return line


def settings_of(args: argparse.Namespace) -> Settings:
    """The command line as settings, with the price file read."""
    prices: dict[str, Price] = {}
    if args.prices:
        with open(args.prices, "rb") as file:
            prices = msgspec.json.decode(file.read(), type=dict[str, Price])
    certificate, key = args.tls or (None, None)
    return Settings(
        port=args.port,
        key=args.key,
        prices=prices,
        latency_seconds=args.latency_ms / 1000,
        stream_chunks=args.stream_chunks,
        chunks_per_second=args.chunks_per_second,
        each_chunk_alone=args.chunk_writes == "each",
        keep_rows=not args.no_rows,
        max_rows=args.max_rows,
        idempotent=args.idempotent,
        end_with_stdin=args.end_with_stdin,
        certificate=certificate,
        certificate_key=key,
    )


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    settings = settings_of(parser().parse_args())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
