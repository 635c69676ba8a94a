"""All SQL of compute, a file a noun."""
