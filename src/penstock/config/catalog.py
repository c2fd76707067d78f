"""Every setting there is, read from the types: its path, type, default and place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec.inspect as inspect
from msgspec import NODEFAULT, Struct

from penstock.config.values import Config

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Setting(Struct, frozen=True):
    """One setting; `path` has `NAME` for a key the user chooses and `[]` for any element of a list."""

    path: str
    section: str
    field: inspect.Field


def join(path: str, key: str) -> str:
    """The path of a key of the table at `path`, quoted as TOML where it must be."""
    name = key if _BARE.fullmatch(key) else json.dumps(key)
    return f"{path}.{name}" if path else name


def struct_type(cls: type[Struct]) -> inspect.StructType:
    """The fields of a section."""
    found = inspect.type_info(cls)
    assert isinstance(found, inspect.StructType)
    return found


def settings(within: inspect.StructType | None = None, path: str = "") -> Iterator[Setting]:
    """All settings in the order they are declared, the tables that hold others included."""
    section = within or struct_type(Config)
    for field in section.fields:
        here = join(path, field.name)
        yield Setting(here, section.cls.__name__, field)
        inner, suffix = _inner(field.type)
        if inner is not None:
            yield from settings(inner, here + suffix)


def _inner(due: inspect.Type) -> tuple[inspect.StructType | None, str]:
    """The section a field holds, if any, and how its path is written."""
    due = told(due)
    if isinstance(due, inspect.StructType):
        return due, ""
    if isinstance(due, inspect.DictType) and isinstance(due.value_type, inspect.StructType):
        return due.value_type, ".NAME"
    if isinstance(due, inspect.VarTupleType) and isinstance(due.item_type, inspect.StructType):
        return due.item_type, "[]"
    return None, ""


def told(due: inspect.Type) -> inspect.Type:
    """What a setting is where it is given: one that may be left out is otherwise None."""
    if isinstance(due, inspect.UnionType):
        return next(one for one in due.types if not isinstance(one, inspect.NoneType))
    return due


def default(field: inspect.Field) -> Any:
    """Its default, NODEFAULT where it must be given."""
    if field.default is not NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not NODEFAULT else NODEFAULT


def due(wanted: inspect.Type) -> str:
    """What a setting must be, for people."""
    wanted = told(wanted)
    match wanted:
        case inspect.LiteralType():
            return "one of " + ", ".join(map(str, wanted.values))
        case inspect.IntType() | inspect.FloatType():
            return _number(wanted)
        case inspect.VarTupleType():
            return "a list of tables" if _inner(wanted)[0] else "a list of strings"
        case inspect.StrType():
            return "a string"
        case inspect.BoolType():
            return "true or false"
        case _:
            return "a table"


def _number(wanted: inspect.IntType | inspect.FloatType) -> str:
    noun = "an integer" if isinstance(wanted, inspect.IntType) else "a number"
    if wanted.gt is not None and wanted.le is not None:
        return f"{noun} above {wanted.gt}, at most {wanted.le}"
    if wanted.le is not None:
        return f"{noun} from {wanted.ge} to {wanted.le}"
    if wanted.gt is not None:
        return f"{noun} above {wanted.gt}"
    return f"{noun}, {wanted.ge} or more" if wanted.ge is not None else noun
