"""A service as a whole Worker reaches it: over HTTP on this machine."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend:
    """What it answers, and how often it was asked for each path."""

    def __init__(self) -> None:
        self.url = ""
        self.broken: set[str] = set()
        """The paths that it fails on."""
        self.asked: Counter[str] = Counter()


@contextmanager
def served() -> Iterator[Backend]:
    """One that numbers its replies, which may be kept for a minute; it ends with the context."""
    backend = Backend()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing: what matters is asserted."""

        def do_GET(self) -> None:
            backend.asked[self.path] += 1
            text = str(backend.asked[self.path]).encode()
            self.send_response(500 if self.path in backend.broken else 200)
            self.send_header("cache-control", "max-age=60")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    backend.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
