"""Answers kept for who asked: exact keys, generations that a purge raises, one call in the air for many askers."""
