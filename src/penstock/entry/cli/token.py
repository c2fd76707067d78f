"""`penstock token`: a token to try the gateway with."""

from __future__ import annotations

import argparse
import time
from typing import Any

from penstock.auth.mint import mint
from penstock.config import Config, Issuer
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured
from penstock.entry.cli.values import seconds, words
from penstock.entry.secrets import with_issuer
from penstock.errors import Misconfigured

HOUR = 3600


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sub", required=True, metavar="S", help="whose it is")
    parser.add_argument("--tier", metavar="T", help="its tier (default: free)")
    parser.add_argument("--tenant", metavar="T", help="its tenant (default: default)")
    parser.add_argument("--email", metavar="E", help="its e-mail address")
    parser.add_argument("--role", metavar="R", help="its role; those in admin_roles may administer")
    parser.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it may do, repeatable (default: chat, embed and rag)",
    )
    parser.add_argument(
        "--ttl",
        type=seconds,
        default=HOUR,
        metavar="TIME",
        help="its life: 90, 15min, 12h, 30d (default: 1h)",
    )


def run(args: argparse.Namespace) -> int:
    config = with_issuer(configured(args).config)
    claims = claimed(args, config)
    issuer = signing(config)
    marks = {"iss": issuer.issuer, "aud": issuer.audience}
    claims |= {name: mark for name, mark in marks.items() if mark}
    now = time.time()
    token = mint(claims, issuer.secret, now=now, lifetime=args.ttl)
    if args.json:
        show.as_json({"token": token, "expires_at": int(now + args.ttl), "claims": claims})
    else:
        print(token)
    return 0


def claimed(args: argparse.Namespace, config: Config) -> dict[str, Any]:
    """The claims asked for; raises Misused for what could not name a caller."""
    if not args.sub.strip() or not args.sub.isprintable():
        raise Misused("--sub is empty or not printable; name whose token it is")
    if args.tier and args.tier not in config.tiers:
        raise Misused(
            f"--tier {args.tier!r} is not configured; name one of {', '.join(config.tiers)}"
        )
    claims = {name: getattr(args, name) for name in ("sub", "tier", "tenant", "email", "role")}
    claims["scope"] = " ".join(words(args.scope))
    return {name: value for name, value in claims.items() if value}


def signing(config: Config) -> Issuer:
    """The issuer whose secret is here; raises Misconfigured where only others can sign."""
    for issuer in config.auth.issuers:
        if issuer.mode == "hs256":
            return issuer
    raise Misconfigured("no hs256 issuer is configured; ask your own issuer for a token")


TOKEN = Command(
    "Print a token of the development issuer, or of the configured shared secret.", add, run
)
