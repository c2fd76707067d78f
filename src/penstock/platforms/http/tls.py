"""TLS to targets: certificates and names are always checked."""

from __future__ import annotations

import ssl


def context() -> ssl.SSLContext:
    """Trusts what the system trusts; the environment's SSL_CERT_FILE and SSL_CERT_DIR name other authorities."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    return made
