"""Tables of compute, a file a noun."""
