"""Tables of the image service."""

import secrets

import sqlalchemy as sa

from pileus.core.db import Id, Json, Time, metadata


def new_edition() -> int:
    """Random, not counted: one that was seen never comes again, not even with a restored database or a reused id."""
    return secrets.randbits(63)


images = sa.Table(
    "image_image",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.String(255), index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("visibility", sa.String(16), nullable=False),
    sa.Column("owner", Id, index=True),
    sa.Column("disk_format", sa.String(16)),
    sa.Column("container_format", sa.String(16)),
    sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("checksum", sa.String(32)),
    sa.Column("sha512", sa.String(128), index=True),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("os_hidden", sa.Boolean, nullable=False),
    sa.Column("min_disk", sa.Integer, nullable=False),
    sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("created_at", Time, nullable=False, index=True),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("upload", Id, index=True),
    sa.Column("staged", Json),
    sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("hash_algo", sa.String(64)),
    sa.Column("hash_value", sa.String(128), index=True),
    sa.Column("signed_digest", sa.String(160)),
    sa.Column("edition", sa.BigInteger, nullable=False, server_default="0", onupdate=new_edition),
)
"""`upload` names the file that is being received or that waits for its import; `staged` is what is known of the latter.
`sha512` is known of data that was read here; `hash_*` is another hash, that its location came with.
`signed_digest` is METHOD:HEX of what the image's signature was found right for.
`edition` changes with every write to the image, its properties, tags or locations: what was made of them is of one edition."""

locations = sa.Table(
    "image_location",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("image_id", Id, sa.ForeignKey(images.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("store", sa.String(64), nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Index("ix_image_location_store", "store", "status"),
)

cached = sa.Table(
    "image_cached",
    metadata,
    sa.Column("image_id", Id, sa.ForeignKey(images.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("node", sa.String(255), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("sha512", sa.String(128), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("hits", sa.Integer, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("last_accessed", Time, nullable=False),
)

properties = sa.Table(
    "image_property",
    metadata,
    sa.Column("image_id", Id, sa.ForeignKey(images.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("ix_image_property_name", "name"),
)

tags = sa.Table(
    "image_tag",
    metadata,
    sa.Column("image_id", Id, sa.ForeignKey(images.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", sa.String(255), primary_key=True),
    sa.Index("ix_image_tag_tag", "tag"),
)

quota_locks = sa.Table(
    "image_quota_lock",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("held", sa.Boolean, nullable=False),
)
"""A row for each project with limits: written, it keeps others from counting until commit."""

members = sa.Table(
    "image_member",
    metadata,
    sa.Column("image_id", Id, sa.ForeignKey(images.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("member_id", sa.String(255), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Index("ix_image_member_member", "member_id", "status"),
)

tasks = sa.Table(
    "image_task",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("image_id", Id, nullable=False, index=True),
    sa.Column("owner", Id),
    sa.Column("user_id", Id, nullable=False),
    sa.Column("request_id", Id, nullable=False),
    sa.Column("input", Json, nullable=False),
    sa.Column("result", Json),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("created_at", Time, nullable=False, index=True),
    sa.Column("updated_at", Time, nullable=False),
)
"""An import, told in the past tense: the image's own row drives it."""

namespaces = sa.Table(
    "image_metadef_namespace",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("namespace", sa.String(80), nullable=False, unique=True),
    sa.Column("display_name", sa.String(80)),
    sa.Column("description", sa.Text),
    sa.Column("visibility", sa.String(16), nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
)

definitions = sa.Table(
    "image_metadef_definition",
    metadata,
    sa.Column("namespace_id", Id, sa.ForeignKey(namespaces.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("content", Json, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
)
"""What a namespace defines: kind object, property, tag or resource_type; `content` is what the kind has beside its name."""
