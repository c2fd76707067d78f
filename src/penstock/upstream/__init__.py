"""Calls to targets: in order, within time-outs and the retry budget, until the first event."""
