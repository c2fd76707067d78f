"""The home at the edge: Workers KV, D1, R2, Durable Objects, Vectorize and Workers AI."""
