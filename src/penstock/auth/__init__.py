"""Who calls: tokens, API keys, scopes, and the addresses of callers who show neither."""
