"""Which limits exist in which versions, and the bodies that set them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from pileus.core.body import Body, Query
from pileus.core.version import ALWAYS, Version, Window

Limit = (
    Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]
    | Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,10}$", max_length=11)]
)
OF_NETWORK = ("fixed_ips", "floating_ips", "networks", "security_groups", "security_group_rules")
INJECTED = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
IN_SETS: Mapping[str, Window] = {name: Window.of(until="2.35") for name in OF_NETWORK} | {
    name: Window.of(until="2.56") for name in INJECTED
}
IN_CLASSES: Mapping[str, Window] = {
    **IN_SETS,
    **{name: Window.of(until="2.49") for name in OF_NETWORK},
    "server_groups": Window.of(since="2.50"),
    "server_group_members": Window.of(since="2.50"),
}
HIDDEN = "networks"
"""May be set by old clients, is never shown."""

ABSOLUTE: Mapping[str, tuple[str, Window]] = {
    "maxTotalInstances": ("instances", ALWAYS),
    "maxTotalCores": ("cores", ALWAYS),
    "maxTotalRAMSize": ("ram", ALWAYS),
    "maxTotalKeypairs": ("key_pairs", ALWAYS),
    "maxServerMeta": ("metadata_items", ALWAYS),
    "maxServerGroups": ("server_groups", ALWAYS),
    "maxServerGroupMembers": ("server_group_members", ALWAYS),
    "maxImageMeta": ("metadata_items", Window.of(until="2.38")),
    "maxPersonality": ("injected_files", Window.of(until="2.56")),
    "maxPersonalitySize": ("injected_file_content_bytes", Window.of(until="2.56")),
    "maxTotalFloatingIps": ("floating_ips", Window.of(until="2.35")),
    "maxSecurityGroups": ("security_groups", Window.of(until="2.35")),
    "maxSecurityGroupRules": ("security_group_rules", Window.of(until="2.35")),
}
"""Name in /limits -> the quota behind it."""
USED: Mapping[str, tuple[str, Window]] = {
    "totalInstancesUsed": ("instances", ALWAYS),
    "totalCoresUsed": ("cores", ALWAYS),
    "totalRAMUsed": ("ram", ALWAYS),
    "totalServerGroupsUsed": ("server_groups", ALWAYS),
    "totalFloatingIpsUsed": ("floating_ips", Window.of(until="2.35")),
    "totalSecurityGroupsUsed": ("security_groups", Window.of(until="2.35")),
}


def shown(values: Mapping[str, Any], windows: Mapping[str, Window], version: Version) -> dict[str, Any]:
    """What of the values a version knows."""
    return {name: value for name, value in values.items() if version in windows.get(name, ALWAYS) and name != HIDDEN}


class QuotaSetUpdate(Body):
    quota_set: dict[str, Any]


class QuotaClassUpdate(Body):
    quota_class_set: dict[str, Any]


class QuotaQuery(Query):
    user_id: str | None = None


class LimitsQuery(Query):
    tenant_id: str | None = None
    reserved: str | None = None
