"""Bodies, queries and replies of flavors."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pileus.core.body import UNSET, Body, Query, Reply, Unset, length, rename, since, until
from pileus.services.compute.types.fields import Flag, Link, Name, Whole

FlavorId = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^(?! )[a-zA-Z0-9. _-]+(?<! )$")]
Factor = (
    Annotated[float, msgspec.Meta(gt=0, le=3.40282e38)]
    | Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=30)]
)
SpecValue = Annotated[str, length(0, 255)] | int | float
Specs = dict[Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_:. -]{1,255}$")], SpecValue]


class FlavorCreate(Body):
    __wrap__ = "flavor"
    name: Name
    ram: Whole
    vcpus: Whole
    disk: Whole
    id: FlavorId | int | None = None
    ephemeral: Whole = rename(name="OS-FLV-EXT-DATA:ephemeral", default=0)
    swap: Whole = 0
    rxtx_factor: Annotated[Factor, until("2.101")] = 1.0
    is_public: Flag = rename(name="os-flavor-access:is_public", default=True)
    description: Annotated[Annotated[str, length(0, 65535)] | None, since("2.55")] = None


class FlavorUpdate(Body):
    __wrap__ = "flavor"
    description: Annotated[str, length(0, 65535)] | None


class ExtraSpecs(Body):
    extra_specs: Specs


class Access(Body):
    tenant: Annotated[str, length(1, 255)]


class FlavorQuery(Query):
    limit: str | None = None
    marker: str | None = None
    sort_key: list[str] = []
    sort_dir: list[str] = []
    min_disk: str | None = rename(name="minDisk", default=None)
    min_ram: str | None = rename(name="minRam", default=None)
    is_public: str | None = None
    name: Annotated[str, since("2.102")] | Unset = UNSET


class FlavorBrief(Reply):
    id: str
    name: str
    links: list[Link]
    description: Annotated[str | None, since("2.55")]


class Flavor(Reply):
    __wrap__ = "flavor"
    id: str
    name: str
    ram: int
    disk: int
    vcpus: int
    swap: int | str
    links: list[Link]
    rxtx_factor: Annotated[float, until("2.101")]
    description: Annotated[str | None, since("2.55")]
    is_public: bool = rename(name="os-flavor-access:is_public")
    ephemeral: int = rename(name="OS-FLV-EXT-DATA:ephemeral")
    disabled: Annotated[bool, until("2.101")] = rename(name="OS-FLV-DISABLED:disabled", default=False)
    extra_specs: Annotated[dict[str, str], since("2.61")] | Unset = UNSET


class FlavorBriefs(Reply):
    flavors: list[FlavorBrief]
    flavors_links: list[Link] | Unset = UNSET


class Flavors(Reply):
    flavors: list[Flavor]
    flavors_links: list[Link] | Unset = UNSET
