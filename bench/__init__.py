"""Figures against the peers: each bench prints a table, or one JSON object with --json."""
