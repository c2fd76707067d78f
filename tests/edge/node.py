"""The Node that runs the path tests: one whose WebAssembly can wait for JavaScript (JSPI), which npm brings."""

from __future__ import annotations

import platform
import sys

from tests.edge.home import HERE

_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_NAME = f"node-{sys.platform}-{_MACHINES.get(platform.machine().lower(), '')}"
NODE = str(HERE / "node_modules" / _NAME / "bin" / "node")
