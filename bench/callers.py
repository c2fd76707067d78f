"""A million callers, each once, through a whole gateway in this process: prints what memory they hold."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from penstock.auth.mint import mint
from penstock.config import decode, defaults
from penstock.gateway import build
from penstock.platforms.embedded import open_platform
from penstock.platforms.http import Http
from penstock.wire.http import Request

SECRET = "a-bench-secret-of-more-than-32-bytes"
CONFIG = f"""
data = "{{data}}"
[auth]
issuers = [{{{{ mode = "hs256", secret = "{SECRET}" }}}}]
"""


async def main(number: int) -> None:
    """Each asks for the models: identified by a token of their own, counted in a rate of their own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        config, _ = defaults(decode(CONFIG.format(data=home), {}), {})
        http = Http()
        async with open_platform(Path(home), fetch=http) as platform:
            gateway = build(config, platform, lambda *_: None)
            await gateway.start()
            before = _rss_mb()
            most = before
            for at in range(number):
                token = mint({"sub": f"caller-{at}"}, SECRET, now=platform.clock.now())
                headers = [("authorization", f"Bearer {token}")]
                request = Request("GET", b"/v1/models", "/v1/models", "", headers, "192.0.2.1")
                if (await gateway(request)).status != 200:
                    raise SystemExit(f"caller {at} was refused")
                if at % 10_000 == 0:
                    most = max(most, _rss_mb())
            print(
                json.dumps(
                    {"callers_before_rss_mb": before, "callers_rss_mb": max(most, _rss_mb())}
                )
            )
            await gateway.stop()
        await http.close()


def _rss_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
