"""Bodies and replies of subnet pools and address scopes."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pileus.core.body import UNSET, Body, Unset, length
from pileus.services.network.types.common import Name, Shown, Update, Wish

Length = Annotated[int, msgspec.Meta(ge=0, le=128)]
Quota = Annotated[int, msgspec.Meta(ge=0, le=2147483647)]
Prefixes = Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]


class SubnetpoolCreate(Wish, kw_only=True):
    __defaults__ = {"shared": False, "is_default": False}
    name: Annotated[str, length(1, 255)]
    prefixes: Prefixes
    default_prefixlen: Length | Unset | None = UNSET
    min_prefixlen: Length | Unset | None = UNSET
    max_prefixlen: Length | Unset | None = UNSET
    default_quota: Quota | Unset | None = UNSET
    shared: bool | Unset = UNSET
    is_default: bool | Unset = UNSET
    address_scope_id: str | Unset | None = UNSET


class SubnetpoolUpdate(Update, kw_only=True):
    __wrap__ = "subnetpool"
    name: Annotated[str, length(1, 255)] | Unset = UNSET
    prefixes: Prefixes | Unset = UNSET
    default_prefixlen: Length | Unset = UNSET
    min_prefixlen: Length | Unset = UNSET
    max_prefixlen: Length | Unset = UNSET
    default_quota: Quota | Unset | None = UNSET
    is_default: bool | Unset = UNSET
    address_scope_id: str | Unset | None = UNSET


class SubnetpoolBody(Body):
    subnetpool: SubnetpoolCreate | Unset = UNSET
    subnetpools: list[SubnetpoolCreate] | Unset = UNSET


class PrefixesBody(Body):
    __wrap__ = None
    prefixes: Prefixes


class Subnetpool(Shown, kw_only=True):
    __wrap__ = "subnetpool"
    name: str
    ip_version: int
    prefixes: list[str]
    default_prefixlen: int
    min_prefixlen: int
    max_prefixlen: int
    default_quota: int | None
    is_default: bool
    shared: bool
    address_scope_id: str | None
    tags: list[str]


class AddressScopeCreate(Wish, kw_only=True):
    __defaults__ = {"shared": False}
    name: Name = ""
    ip_version: Literal[4, 6]
    shared: bool | Unset = UNSET


class AddressScopeUpdate(Update, kw_only=True):
    __wrap__ = "address_scope"
    name: Name | Unset = UNSET
    shared: bool | Unset = UNSET


class AddressScopeBody(Body):
    address_scope: AddressScopeCreate | Unset = UNSET
    address_scopes: list[AddressScopeCreate] | Unset = UNSET


class AddressScope(Shown, kw_only=True):
    __wrap__ = "address_scope"
    name: str
    ip_version: int
    shared: bool
