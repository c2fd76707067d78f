"""TOML text → `Config`: each key known, each value of its type, references to the environment filled in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import msgspec.inspect as inspect

from penstock.config import catalog
from penstock.config.check import check_values
from penstock.config.expand import expand, refers
from penstock.config.standing import LIMITS, TIERS, WEEK
from penstock.config.values import Config, Limit
from penstock.errors import Misconfigured

_RATE = re.compile(r"(?P<requests>\d{1,15})\s*/\s*(?P<count>\d{0,9})\s*(?P<unit>[a-z]+)")
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LARGEST = 2**53 - 1  # beyond it some stores lose digits
_TRUTH = {"true": True, "false": False}


def decode(text: str, env: Mapping[str, str]) -> Config:
    """The configuration in a file's text, on its own: what is left out is left to `defaults`.

    The user's tables of tiers and limits are laid over the default ones. Raises Misconfigured, which names
    the setting's path and never its value.
    """
    import tomllib  # the edge, which reads JSON, starts without it

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"the file is not TOML: {error}; mend that line") from error
    return read(raw, env)


def read(raw: dict[str, Any], env: Mapping[str, str]) -> Config:
    """The same of tables that were decoded already."""
    plain = _struct(catalog.struct_type(Config), raw, "", env)
    config = msgspec.convert(_completed(plain), Config)
    check_values(config)
    return config


def _completed(plain: dict[str, Any]) -> dict[str, Any]:
    for section, standing in (("tiers", TIERS), ("limits", LIMITS)):
        given: dict[str, Any] = plain.get(section, {})
        base = msgspec.to_builtins(standing)
        plain[section] = base | {name: base.get(name, {}) | given[name] for name in given}
    for name in plain["limits"]:
        if name not in LIMITS:
            raise _unknown(name, list(LIMITS), "limits")
    for name, route in plain.get("routes", {}).items():
        _complete_route(name, route)
    for name, service in plain.get("services", {}).items():
        if "requests" not in service.get("limit", {"requests": 0}):
            raise _missing(catalog.join(catalog.join("services", name), "limit"), "requests")
    return plain


def _complete_route(name: str, route: dict[str, Any]) -> None:
    """What the names `auto` and `embed`, and the verb, say about a route that does not."""
    if name == "auto" and not route.get("targets"):
        route.setdefault("policy", "heuristic")
    if name == "embed":
        route.setdefault("verb", "embed")
    if route.get("verb") == "embed":
        route["cache"] = {"ttl": WEEK} | route.get("cache", {})


def _read(due: inspect.Type, raw: Any, path: str, env: Mapping[str, str]) -> Any:
    due = catalog.told(due)
    match due:
        case inspect.StructType():
            return _struct(due, raw, path, env)
        case inspect.DictType():
            table = _table(due, raw, path)
            return {
                key: _read(due.value_type, value, catalog.join(path, key), env)
                for key, value in table.items()
            }
        case inspect.VarTupleType():
            if not isinstance(raw, list):
                raise _wrong(due, raw, path)
            return [_read(due.item_type, item, f"{path}[{at}]", env) for at, item in enumerate(raw)]
        case _:
            return _scalar(due, raw, path, env)


def _struct(due: inspect.StructType, raw: Any, path: str, env: Mapping[str, str]) -> dict[str, Any]:
    if due.cls is Limit and isinstance(raw, str):
        return _rate(expand(raw, env, path), path)
    known = {field.name: field for field in due.fields}
    found = {}
    for key, value in _table(due, raw, path).items():
        if key not in known:
            raise _unknown(key, list(known), path)
        found[key] = _read(known[key].type, value, catalog.join(path, key), env)
    for field in due.fields:
        if field.required and field.name not in found and due.cls is not Limit:
            raise _missing(path, field.name)
    return found


def _table(due: inspect.Type, raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _wrong(due, raw, path)
    return raw


def _rate(text: str, path: str) -> dict[str, Any]:
    """`10/15min` as requests and window."""
    found = _RATE.fullmatch(text.strip())
    if not found or found["unit"] not in _UNITS:
        raise Misconfigured(
            f"{path} is not a rate; write it as 100/h, 10/15min or 5/s, or as a table with requests and window"
        )
    requests, window = int(found["requests"]), int(found["count"] or 1) * _UNITS[found["unit"]]
    if not requests or not window:
        raise Misconfigured(f"{path} admits nothing; its numbers must be above 0")
    return {"requests": requests, "window": window}


def _scalar(due: inspect.Type, raw: Any, path: str, env: Mapping[str, str]) -> Any:
    value = raw
    if isinstance(raw, str):
        value = expand(raw, env, path)
        if refers(raw) and not isinstance(due, inspect.StrType | inspect.LiteralType):
            value = _parsed(due, value)
    if not _fits(due, value):
        raise _wrong(due, raw, path)
    return value


def _parsed(due: inspect.Type, text: str) -> Any:
    """A number or truth value that came out of the environment as text; the text where it is neither."""
    if isinstance(due, inspect.BoolType):
        return _TRUTH.get(text.strip().lower(), text)
    try:
        return int(text) if isinstance(due, inspect.IntType) else float(text)
    except ValueError:
        return text


def _fits(due: inspect.Type, value: Any) -> bool:
    match due:
        case inspect.LiteralType():
            return isinstance(value, str) and value in due.values
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return type(value) is int and value <= _LARGEST and _within(due, value)
        case inspect.FloatType():
            return type(value) in (int, float) and math.isfinite(value) and _within(due, value)
        case _:
            return False


def _within(due: inspect.IntType | inspect.FloatType, value: float) -> bool:
    low = due.gt is None or value > due.gt
    return low and (due.ge is None or value >= due.ge) and (due.le is None or value <= due.le)


def _wrong(due: inspect.Type, raw: Any, path: str) -> Misconfigured:
    if isinstance(raw, str) and refers(raw):
        return Misconfigured(
            f"{path} must be {catalog.due(due)}; its reference gives another value"
        )
    same = isinstance(due, inspect.LiteralType) and isinstance(raw, str)
    is_number = isinstance(due, inspect.IntType | inspect.FloatType)
    same = same or (is_number and type(raw) in (int, float))
    found = "" if same else f", and is {_noun(raw)}"
    return Misconfigured(f"{path} must be {catalog.due(due)}{found}; change it")


def _noun(raw: Any) -> str:
    names: dict[type, str] = {
        bool: "true or false",
        str: "a string",
        int: "an integer",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(raw), "a date or time")


def _missing(path: str, key: str) -> Misconfigured:
    return Misconfigured(f"{catalog.join(path, key)} is missing; add it")


def _unknown(key: str, known: list[str], path: str) -> Misconfigured:
    return Misconfigured(
        f"{catalog.join(path, key)} is no setting; the nearest is {_nearest(key, known, path)}"
    )


def _nearest(key: str, known: list[str], path: str) -> str:
    """The likeliest key of the same table; else one much like it elsewhere; else the least unlike here."""
    import difflib

    if close := difflib.get_close_matches(key, known, n=1, cutoff=0.7):
        return catalog.join(path, close[0])
    every = reversed(list(catalog.settings()))  # the first of a name is the likeliest
    elsewhere = {setting.field.name: setting.path for setting in every}
    if close := difflib.get_close_matches(key, elsewhere, n=1, cutoff=0.7):
        return elsewhere[close[0]]
    return catalog.join(path, difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0])
