"""Rows, bodies and replies of identity, by noun."""
