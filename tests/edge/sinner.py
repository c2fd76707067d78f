"""Imported by the test that must see it: a Worker could not start with this."""

from __future__ import annotations

import uuid

FIRST = uuid.uuid4()
