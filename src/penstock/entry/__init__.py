"""The composition roots: the only places where a gateway meets a platform."""
