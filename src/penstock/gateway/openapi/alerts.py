"""What an admin is told of alerts, as JSON Schema."""

from __future__ import annotations

from penstock.gateway.openapi.answers import COUNT, TEXT, Schema, exact

_TIME: Schema = {"type": "string", "format": "date-time"}
_SEVERITY: Schema = {"enum": ["info", "warning", "critical"]}


def schemas() -> dict[str, Schema]:
    """The component schemas of alerts."""
    rule = exact({"name": TEXT, "kind": TEXT, "to": _each(TEXT)})
    outcomes = ("waiting", "delivered", "given_up", "dropped")
    channel = exact({"name": TEXT, "kind": TEXT, **dict.fromkeys(outcomes, COUNT)})
    facts: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
    state = exact(
        {
            "rule": TEXT, "kind": TEXT, "alert": TEXT, "subject": TEXT, "firing": {"type": "boolean"},
            "severity": _SEVERITY, "since": _TIME, "facts": facts,
        }
    )  # fmt: skip
    delivery = exact(
        {"channel": TEXT, "attempts": COUNT, "status": TEXT, "outcome": {"enum": list(outcomes)}}
    )
    notice = exact(
        {
            "id": TEXT, "at": _TIME, "event": {"enum": ["firing", "worse", "reminder", "recovered"]}, "rule": TEXT,
            "kind": TEXT, "severity": _SEVERITY, "title": TEXT, "lines": _each(TEXT), "deliveries": _each(delivery),
        }
    )  # fmt: skip
    return {
        "Alerts": exact(
            {
                "rules": _each(rule), "channels": _each(channel), "firing": _each(state), "pending": _each(state),
                "notices": _each(notice),
            }
        )
    }  # fmt: skip


def _each(of: Schema) -> Schema:
    return {"type": "array", "items": of}
