"""Rows, request bodies and replies of the image service, one file per noun."""
