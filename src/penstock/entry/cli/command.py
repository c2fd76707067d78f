"""What every command is made of, and the two ways it can go wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from penstock.config import Config
from penstock.entry.home import opened_tables
from penstock.entry.settings import Loaded, load
from penstock.errors import Error
from penstock.ports import Tables

T = TypeVar("T")


class Misused(Error):
    """The command was called in a way it does not take."""

    code = "misused"


class Parser(argparse.ArgumentParser):
    """Says what is wrong by raising; argparse's own way is to print several lines and exit."""

    def error(self, message: str) -> NoReturn:
        raise Misused(f"{message}; `{self.prog} --help` says more")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `add` declares its options, `run` returns its exit code (0 done, 1 failed) or raises Error."""

    help: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def configured(args: argparse.Namespace) -> Loaded:
    """The configuration that this command is to use; raises Misconfigured."""
    return load(args.config, os.environ)


def with_tables(args: argparse.Namespace, work: Callable[[Tables], Awaitable[T]]) -> T:
    """Does the work on the configured tables, beside a server or without one; raises Error.

    What it writes is on the disk when it returns.
    """
    return asyncio.run(_with_tables(configured(args).config, work))


async def _with_tables(config: Config, work: Callable[[Tables], Awaitable[T]]) -> T:
    async with opened_tables(config) as tables:
        return await work(tables)
