"""Console tokens: who holds one may look at a server's console until it expires."""

import sqlalchemy as sa

from pileus.core.db import Id, Time, metadata

console_tokens = sa.Table(
    "compute_console_token",
    metadata,
    sa.Column("token_hash", Id, primary_key=True),
    sa.Column("server_id", Id, nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("console_type", sa.String(16), nullable=False),
    sa.Column("expires_at", Time, nullable=False, index=True),
)
