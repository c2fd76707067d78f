"""The configuration as a process finds it: the file, the environment, the price table's models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from penstock.config import Config, decode, defaults
from penstock.entry.inside import standing
from penstock.entry.known import known_models
from penstock.entry.routers import with_routers
from penstock.errors import Misconfigured
from penstock.prices import CHECKED, price_of, stale

FILE = Path("penstock.toml")
MOST_NAMED = 5
_FATES = {
    "budget": "counted as free, and refused where a money budget holds",
    "allow": "counted as free",
    "refuse": "refused",
}
"""What becomes of calls to them, by `server.unpriced`."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A whole configuration, where it came from, and what start-up says of it."""

    config: Config
    notes: list[str]
    source: str


def load(path: str | None, env: Mapping[str, str]) -> Loaded:
    """Reads `path`, else `PENSTOCK_CONFIG`, else ./penstock.toml if it exists, else the environment alone; raises Misconfigured."""
    file = find(path, env)
    services, lacking = ({}, []) if file else standing(env)
    given = decoded(file, env) if file else Config(services=services)
    day = today()
    config, notes = defaults(given, env, known_models(day))
    config, trusted = with_routers(config)
    notes += lacking + trusted
    if config.platform == "server" and not config.auth.issuers:
        notes.append(
            "warning: the development issuer's secret is this host's alone; other hosts refuse its tokens:"
            " set JWT_SECRET, or auth.issuers"
        )
    if stale(day):
        notes.append(
            f"warning: prices were last compared with the providers' on {CHECKED}; upgrade Penstock"
        )
    free = unpriced(config, day)
    if free:
        more = f" and {len(free) - MOST_NAMED} more" if len(free) > MOST_NAMED else ""
        notes.append(
            f"warning: no price is known for {', '.join(free[:MOST_NAMED])}{more};"
            f" {_FATES[config.server.unpriced]}: give it under [[prices]]"
        )
    return Loaded(config, notes, str(file) if file else "environment")


def unpriced(config: Config, day: str) -> list[str]:
    """The targets that cost something somewhere, but have no price here."""
    return [target.name for target in config.targets if price_of(config, target, day) is None]


def today() -> str:
    """The UTC day, by which models have ended and prices hold."""
    return datetime.now(UTC).date().isoformat()


def find(path: str | None, env: Mapping[str, str]) -> Path | None:
    """The file to read, None where there is none."""
    named = path or env.get("PENSTOCK_CONFIG")
    if named:
        return Path(named)
    return FILE if FILE.exists() else None


def decoded(file: Path, env: Mapping[str, str]) -> Config:
    """What the file says; raises Misconfigured, naming the file."""
    try:
        return decode(file.read_bytes().decode("utf-8-sig"), env)
    except OSError as error:
        reason = (error.strerror or "it is out of reach").lower()
        raise Misconfigured(f"{file} cannot be read: {reason}; name another by --config") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file} is not UTF-8 text; save it as UTF-8") from error
    except Misconfigured as error:
        raise Misconfigured(f"{file}: {error.message}") from error
