"""Which target serves an ask: names, complexity, policies."""
