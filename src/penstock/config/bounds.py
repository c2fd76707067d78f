"""Numbers with their bounds, as settings have them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
Weight = Annotated[int, Meta(gt=0, le=10_000)]
Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Patience = Annotated[float, Meta(ge=0)]
DrainSeconds = Annotated[float, Meta(gt=0, le=25)]
DocumentBytes = Annotated[int, Meta(gt=0, le=20 << 20)]
