"""References to the environment in a setting's text: `${VAR}`, `${VAR:-default}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.errors import Misconfigured

_PIECE = re.compile(r"\$\$|\$\{(?:(?P<name>[A-Za-z_]\w*)(?P<fallback>:-[^}]*)?\})?", re.ASCII)


def refers(text: str) -> bool:
    """Does this text refer to the environment?"""
    return "${" in text


def expand(text: str, env: Mapping[str, str], path: str) -> str:
    """The text with its references replaced, never their values' own; `$$` then stands for a dollar sign.

    Text without `${` is returned as it is. A default holds where the variable is unset or empty.
    Raises Misconfigured, naming the setting and the variable.
    """
    if not refers(text):
        return text
    return _PIECE.sub(lambda piece: _value(piece, env, path), text)


def _value(piece: re.Match[str], env: Mapping[str, str], path: str) -> str:
    if piece[0] == "$$":
        return "$"
    name, fallback = piece["name"], piece["fallback"]
    if name is None:
        raise Misconfigured(
            f"{path}: `${{` opens no reference; write ${{NAME}} or ${{NAME:-default}}, or $${{ for the characters"
        )
    if fallback is not None:
        return env.get(name) or fallback[2:]
    if name not in env:
        raise Misconfigured(
            f"{path}: the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        )
    return env[name]
