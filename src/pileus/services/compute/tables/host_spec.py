"""What the control plane keeps about its talk with each host."""

import sqlalchemy as sa

from pileus.core.db import Id, metadata

host_specs = sa.Table(
    "compute_host_spec",
    metadata,
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("token_hash", Id, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("digest", Id, nullable=False),
    sa.Column("key_hash", Id),
)
"""`revision` counts the different specs that were given to the host; `digest` is of the last one.

A host shows its token, of which the hash stands here, or, where it has joined, a certificate for the key of `key_hash`.
"""
