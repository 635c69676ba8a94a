"""Server groups; a server names its group in its own row."""

import sqlalchemy as sa

from pileus.core.db import Id, Time, metadata

server_groups = sa.Table(
    "compute_server_group",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Id, nullable=False, index=True),
    sa.Column("user_id", Id, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("policy", sa.String(32), nullable=False),
    sa.Column("max_server_per_host", sa.Integer),
    sa.Column("created_at", Time, nullable=False),
)
