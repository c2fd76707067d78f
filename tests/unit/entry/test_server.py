"""A server says that it listens once it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SERVING = """
import os, signal, socket, sys
from penstock.entry import server
from penstock.entry.cli.serve import listening
from penstock.entry.secrets import with_issuer
from penstock.entry.settings import load

def announced(start, address):
    socket.create_connection(address, timeout=5).close()
    os.kill(os.getpid(), signal.SIGTERM)

server.announce = announced
config = with_issuer(listening(load(None, {"PENSTOCK_DATA": sys.argv[1]}).config, None, 0))
sys.exit(server.run(server.Start(config, (), lambda: (config, ()))))
"""
SECONDS = 30


def test_whoever_reads_where_it_listens_may_connect_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVING, str(tmp_path / "data")],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
