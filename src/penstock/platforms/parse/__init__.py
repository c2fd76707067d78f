"""The `Parse` of homes with processes: each file is read by a process of its own, which ends with it."""
