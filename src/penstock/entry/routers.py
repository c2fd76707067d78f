"""Learned routers' files, read where a process starts: the core gets their text with the configuration."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from msgspec.structs import replace

from penstock.config import Config
from penstock.errors import Misconfigured
from penstock.routing import router
from penstock.routing.router import Router

SHIPPED = "default.router"


def with_routers(config: Config) -> tuple[Config, list[str]]:
    """The configuration with the text of every router it names, and how far each can be trusted; raises Misconfigured."""
    routes, notes = dict(config.routes), []
    for name, route in config.routes.items():
        if route.policy != "learned":
            continue
        text = route.artefact or text_of(route.model)
        found = router.decode(text, f"routes.{name}.model" if route.model else "the router")
        routes[name] = replace(route, artefact=text)
        notes.append(f"{name}: router {found.name} of {found.rows} labels: {found.trust}")
    return (replace(config, routes=routes), notes) if notes else (config, [])


def opened(path: str) -> Router:
    """The router in a file, `default` the one that comes with Penstock; raises InvalidRouter, Misconfigured."""
    return router.decode(text_of("" if path == "default" else path), path)


def text_of(path: str) -> str:
    """What stands in a router's file, of the one that comes with Penstock where none is named; raises Misconfigured."""
    if not path:
        return resources.files("penstock.routing").joinpath(SHIPPED).read_text(encoding="ascii")
    try:
        with Path(path).open("rb") as file:
            return file.read(router.MOST_BYTES + 1).decode("ascii")
    except OSError as error:
        reason = (error.strerror or "it is out of reach").lower()
        raise Misconfigured(
            f"{path} cannot be read: {reason}; make one by `penstock router fit`"
        ) from error
    except UnicodeDecodeError as error:
        raise router.InvalidRouter(
            f"{path} is no router's file; make one by `penstock router fit`"
        ) from error
