"""Bodies and replies of security groups, their rules, and address groups."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pileus.core.body import UNSET, Body, Unset
from pileus.services.network.types.common import Name, Shown, Update, Wish


class SecurityGroupCreate(Wish, kw_only=True):
    __defaults__ = {"stateful": True}
    name: Name = ""
    stateful: bool | Unset = UNSET


class SecurityGroupUpdate(Update, kw_only=True):
    __wrap__ = "security_group"
    name: Name | Unset = UNSET
    stateful: bool | Unset = UNSET


class SecurityGroupBody(Body):
    security_group: SecurityGroupCreate | Unset = UNSET
    security_groups: list[SecurityGroupCreate] | Unset = UNSET


class SecurityGroupRuleCreate(Wish, kw_only=True):
    security_group_id: str
    direction: str
    ethertype: str | None = None
    protocol: str | int | None = None
    port_range_min: int | str | None = None
    port_range_max: int | str | None = None
    remote_ip_prefix: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class SecurityGroupRuleBody(Body):
    security_group_rule: SecurityGroupRuleCreate | Unset = UNSET
    security_group_rules: list[SecurityGroupRuleCreate] | Unset = UNSET


class SecurityGroupRule(Shown, kw_only=True):
    __wrap__ = "security_group_rule"
    security_group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    normalized_cidr: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    belongs_to_default_sg: bool


class SecurityGroup(Shown, kw_only=True):
    __wrap__ = "security_group"
    name: str
    stateful: bool
    shared: bool
    security_group_rules: list[SecurityGroupRule]
    tags: list[str]


class AddressGroupCreate(Wish, kw_only=True):
    name: Name = ""
    addresses: list[str] | Unset | None = UNSET


class AddressGroupUpdate(Update, kw_only=True):
    __wrap__ = "address_group"
    name: Name | Unset = UNSET


class AddressGroupBody(Body):
    address_group: AddressGroupCreate | Unset = UNSET
    address_groups: list[AddressGroupCreate] | Unset = UNSET


class AddressesBody(Body):
    addresses: Annotated[list[str], msgspec.Meta(max_length=1000)]


class AddressGroup(Shown, kw_only=True):
    __wrap__ = "address_group"
    name: str
    addresses: list[str]
    shared: bool
