"""Counters since start, with bounded labels."""

from __future__ import annotations

MOST = 1_000


class Counters:
    """Requests by path, method and status; a path outside the table is `other`."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}

    def request(self, path: str, method: str, status: int) -> None:
        key = (path, method, status)
        before = self._requests.get(key)
        if before is not None:
            self._requests[key] = before + 1
        elif len(self._requests) < MOST:
            self._requests[key] = 1

    def text(self) -> str:
        """Prometheus' text form."""
        lines = [
            "# HELP penstock_requests_total Requests answered.",
            "# TYPE penstock_requests_total counter",
        ]
        for (path, method, status), count in sorted(self._requests.items()):
            lines.append(
                f'penstock_requests_total{{path="{path}",method="{method}",status="{status}"}} {count}'
            )
        return "\n".join(lines) + "\n"
