"""Join tokens: who holds one may make a machine a host of this cloud, until it expires or is used up."""

import sqlalchemy as sa

from pileus.core.db import Id, Time, metadata

join_tokens = sa.Table(
    "compute_join_token",
    metadata,
    sa.Column("secret_hash", Id, primary_key=True),
    sa.Column("expires_at", Time, nullable=False),
    sa.Column("uses_left", sa.Integer, nullable=False),
)
