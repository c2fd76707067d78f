"""The gateway is killed at each of its fail-points under load; its books are then held beside the provider's own meter."""
