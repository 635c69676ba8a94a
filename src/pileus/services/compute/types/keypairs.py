"""Bodies, queries and replies of keypairs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pileus.core.body import UNSET, Body, Query, Reply, Unset, length, pattern, since, until
from pileus.services.compute.types.fields import Link


class KeypairCreate(Body):
    __wrap__ = "keypair"
    name: Annotated[
        str,
        length(1, 255),
        pattern(r"(?! )[a-zA-Z0-9_ -]+(?<! )", until="2.91"),
        pattern(r"(?! )[a-zA-Z0-9_@. -]+(?<! )", since="2.92"),
    ]
    public_key: Annotated[str, length(1, 65535)] | Unset = UNSET
    type: Annotated[Literal["ssh", "x509"], since("2.2")] = "ssh"
    user_id: Annotated[str, since("2.10"), length(1, 64)] | Unset = UNSET


class KeypairQuery(Query):
    user_id: Annotated[str, since("2.10")] | Unset = UNSET


class KeypairsQuery(KeypairQuery):
    limit: Annotated[str | None, since("2.35")] = None
    marker: Annotated[str | None, since("2.35")] = None


class KeypairMade(Reply):
    """The private key is shown this once, and not kept."""

    __wrap__ = "keypair"
    name: str
    public_key: str
    fingerprint: str
    user_id: str
    type: Annotated[str, since("2.2")]
    private_key: Annotated[str, until("2.91")] | Unset = UNSET


class Keypair(Reply):
    __wrap__ = "keypair"
    id: int
    name: str
    public_key: str
    fingerprint: str
    user_id: str
    type: Annotated[str, since("2.2")]
    created_at: datetime
    updated_at: None = None
    deleted: bool = False
    deleted_at: None = None


class KeypairBrief(Reply):
    name: str
    public_key: str
    fingerprint: str
    type: Annotated[str, since("2.2")]


class KeypairItem(Reply):
    keypair: KeypairBrief


class Keypairs(Reply):
    keypairs: list[KeypairItem]
    keypairs_links: list[Link] | Unset = UNSET
