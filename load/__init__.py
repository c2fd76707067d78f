"""Load sources and the fake provider that tests and benches use."""
