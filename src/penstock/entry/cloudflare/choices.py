"""What is deployed under which names: the options of one project, and what follows from them."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Environment = Literal["development", "staging", "production"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
INDEX = "document-vectors"


class Choices(msgspec.Struct, frozen=True):
    """One project's options, kept in its folder; what is empty follows from `name` and `environment`."""

    name: str = "penstock"
    environment: Environment = "production"
    kv_id: str = ""
    d1_id: str = ""
    d1_name: str = ""
    r2_name: str = ""
    vectorize_name: str = ""
    url: str = ""

    @property
    def worker(self) -> str:
        return self._of(self.name)

    @property
    def meter(self) -> str:
        return f"{self.worker}-meter"

    @property
    def namespace(self) -> str:
        return f"{self.worker}-kv"

    @property
    def database(self) -> str:
        return self.d1_name or self.worker

    @property
    def bucket(self) -> str:
        return self.r2_name or f"{self.worker}-blobs"

    @property
    def index(self) -> str:
        return self.vectorize_name or self._of(INDEX)

    def _of(self, name: str) -> str:
        """Its name in this environment, as wrangler names a Worker's."""
        return name if self.environment == "production" else f"{name}-{self.environment}"
