"""The HTTP cache of proxied replies: RFC 9111 as a shared cache, decided purely, over a `Store`."""
