"""Decisions and state changes of compute, a file a noun. What other services may call is exported here."""
