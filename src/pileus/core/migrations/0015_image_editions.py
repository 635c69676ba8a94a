"""What was made of an image is known by the edition of the image that it is of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    op.add_column("image_image", sa.Column("edition", sa.BigInteger(), server_default="0", nullable=False))
