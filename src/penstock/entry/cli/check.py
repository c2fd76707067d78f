"""`penstock check`: judges the configuration and says what would run."""

from __future__ import annotations

import argparse
from typing import Any

from penstock.config import Budget, Config, Target
from penstock.config.schema import schema
from penstock.entry import settings
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, configured
from penstock.entry.home import papers
from penstock.entry.judging import given
from penstock.entry.settings import Loaded
from penstock.prices import price_of, usd


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--schema", action="store_true", help="print the file's JSON Schema instead"
    )


def run(args: argparse.Namespace) -> int:
    if args.schema:
        show.as_json(schema())
        return 0
    loaded = configured(args)
    given(loaded.config)
    papers(loaded.config)
    if args.json:
        show.as_json(described(loaded))
    else:
        _print(loaded)
    return 0


def described(loaded: Loaded) -> dict[str, Any]:
    """What would run, without a secret in it."""
    config = loaded.config
    day = settings.today()
    return {
        "configuration": loaded.source,
        "platform": config.platform,
        "data": config.data,
        "listen": f"{config.server.host}:{config.server.port}",
        "notes": loaded.notes,
        "targets": [_target(config, target, day) for target in config.targets],
        "routes": {name: _route(config, name) for name in config.routes},
        "aliases": config.aliases,
        "tiers": {name: tier.requests_per_hour for name, tier in config.tiers.items()},
        "budgets": [_budget(budget) for budget in config.budgets],
        "limits": {name: [rule.requests, rule.window] for name, rule in config.limits.items()},
    }


def _target(config: Config, target: Target, day: str) -> dict[str, Any]:
    """A target with its price in dollars a million tokens, null where the price table has none."""
    price = price_of(config, target, day)
    return {
        "name": target.name,
        "verb": target.verb,
        "context": target.context,
        "usd_input": usd(price.input) if price else None,
        "usd_output": usd(price.output) if price else None,
    }


def _budget(budget: Budget) -> dict[str, Any]:
    """A budget in its own words, without those it leaves out."""
    found = {name: getattr(budget, name) for name in budget.__struct_fields__}
    return {name: value for name, value in found.items() if value}


def _route(config: Config, name: str) -> list[str]:
    route = config.routes[name]
    return list(route.targets) or [route.simple, route.medium, route.strong]


def _print(loaded: Loaded) -> None:
    found = described(loaded)
    show.pairs((name, found[name]) for name in ("configuration", "platform", "data", "listen"))
    print("\n" + "\n".join(show.one_line(note) for note in loaded.notes) + "\n")
    show.table(
        ("TARGET", "FOR", "CONTEXT", "USD/M IN", "USD/M OUT"),
        [tuple(target.values()) for target in found["targets"]],
    )
    if found["budgets"]:
        print()
        heads = Budget.__struct_fields__
        lines = [[budget.get(name, "") for name in heads] for budget in found["budgets"]]
        show.table([f"BUDGET {heads[0].upper()}", *map(str.upper, heads[1:])], lines)
    print("\nThe configuration is good.")


CHECK = Command("Judge the configuration and say what would run.", add, run)
