"""Imports: data that comes by another way than one upload."""

METHODS = ("glance-direct",)
STORE = "file"
"""The one store's id."""
