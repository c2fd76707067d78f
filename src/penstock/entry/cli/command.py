"""What every command is made of, and the two ways it can go wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from penstock.config import Config
from penstock.entry.settings import Loaded, load
from penstock.errors import Error, Misconfigured
from penstock.ports import Platform

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


def at_home(args: argparse.Namespace, work: Callable[[Platform], Awaitable[T]]) -> T:
    """Does the work on the configured platform, opened for it and closed after it; raises Error."""
    return asyncio.run(_at_home(configured(args).config, work))


async def _at_home(config: Config, work: Callable[[Platform], Awaitable[T]]) -> T:
    from penstock.entry.home import opened

    if config.platform == "memory":
        raise Misconfigured("platform memory keeps nothing for commands to read; set embedded")
    async with opened(config) as platform:
        return await work(platform)
