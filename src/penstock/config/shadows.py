"""Whether the shadows of routes can be: what they cost, whom they ask, who judges."""

from __future__ import annotations

import re

from penstock.config.catalog import join
from penstock.config.labels import Shadow
from penstock.config.routed import Route
from penstock.config.spending import nanos
from penstock.config.values import Config
from penstock.errors import Misconfigured

EXACT = "exact"
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def sides(route: Route, shadow: Shadow) -> tuple[str, str]:
    """The weak and the strong target, by name; empty where neither says one."""
    return shadow.weak or route.simple, shadow.strong or route.strong


def check_shadows(config: Config) -> None:
    """Each says an amount, two targets and a judge that there are; raises Misconfigured."""
    chats = {target.name for target in config.targets if target.verb == "chat"}
    for name, route in config.routes.items():
        if route.shadow is not None:
            _check(config, route, route.shadow, chats, f"{join('routes', name)}.shadow")


def _check(config: Config, route: Route, shadow: Shadow, chats: set[str], path: str) -> None:
    if route.verb != "chat":
        raise Misconfigured(f"{path} is for chats; remove it")
    if config.platform == "cloudflare":
        raise Misconfigured(f"{path} is not for platform cloudflare, where nothing outlives a request for long; remove it")  # fmt: skip
    if not nanos(shadow.money):
        raise Misconfigured(f'{path}.money is no amount of dollars above 0; write it as "1.00"')
    weak, strong = sides(route, shadow)
    for field, target in (("weak", weak), ("strong", strong)):
        if target not in chats:
            raise Misconfigured(f"{path}.{field} names no chat target; name one of {', '.join(sorted(chats))}")  # fmt: skip
    if weak == strong:
        raise Misconfigured(
            f"{path} compares {weak} with itself; name another one as weak or strong"
        )
    _check_judge(shadow, chats, path)


def _check_judge(shadow: Shadow, chats: set[str], path: str) -> None:
    if (shadow.judge == EXACT) != bool(shadow.references):
        raise Misconfigured(f'{path}.references goes with judge = "exact", and that with it; set both or neither')  # fmt: skip
    if shadow.judge not in {EXACT, *chats} and not FUNCTION.fullmatch(shadow.judge):
        raise Misconfigured(f"{path}.judge is no chat target, not exact, and no function; write module:function")  # fmt: skip
