"""Bytes ⇄ values: one vocabulary for HTTP, server-sent events, chat and embeddings."""
