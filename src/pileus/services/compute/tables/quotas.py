"""Limits that administrators have set; where there is no row the default of rules/quota.py counts."""

import sqlalchemy as sa

from pileus.core.db import Id, metadata

quotas = sa.Table(
    "compute_quota",
    metadata,
    sa.Column("project_id", Id, primary_key=True),
    sa.Column("user_id", Id, primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)
"""`user_id` is empty for the project as a whole."""

quota_defaults = sa.Table(
    "compute_quota_default",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)
