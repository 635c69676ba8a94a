"""Bodies, queries and replies of compute, a file a noun."""
