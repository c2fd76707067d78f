"""The money record: append-only usage rows, the journal of decisions, reports."""
