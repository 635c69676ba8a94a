"""How many files and connections this process may have open."""

from __future__ import annotations

import resource


def raise_open_files() -> int:
    """As many as the machine lets this user have; the number. No privilege is needed up to the hard limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
