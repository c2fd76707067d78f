"""TLS to targets: certificates and names are always checked."""

from __future__ import annotations

import ssl

LARGER_THAN_A_READ = 1 << 20


def context() -> ssl.SSLContext:
    """Trusts what the system trusts; the environment's SSL_CERT_FILE and SSL_CERT_DIR name other authorities."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    _spare_the_kernel()
    return made


def _spare_the_kernel() -> None:
    """Makes TLS reads a third as dear with glibc.

    Each read takes 256 KB and gives most of it back. glibc maps such a block anew each time, until one at least as
    large has been freed whole; then it serves them from its heap.
    """
    bytearray(LARGER_THAN_A_READ)
