"""The minimal reference backends behind the gateway: auth, chat and billing, each with a database of its own.

Each is a `Fetch`: served alone by `penstock services NAME`, by any ASGI server (`asgi.app`), or beside the gateway
in its own process (`inside`). The gateway never imports them, save its entry.
"""

from __future__ import annotations

from penstock_services.home import NAMES, inside, opened

__all__ = ["NAMES", "inside", "opened"]
