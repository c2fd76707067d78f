"""The home at the edge: a Worker's bindings. Its parts keep the ports' promises in tests; no entry opens it yet."""
