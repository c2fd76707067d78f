"""The auth service: accounts, their sessions, and the tokens that the gateway believes."""
