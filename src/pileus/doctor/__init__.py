"""Explains why something does not work. Each check is a small function that cites the rows and commands it looked at."""
