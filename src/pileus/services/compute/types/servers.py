"""Servers: bodies, queries and replies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pileus.core.body import UNSET, Body, Query, Reply, Unset, length, pattern, rename, since, until
from pileus.services.compute.types.fields import Flag, Link, Name, Whole

Description = Annotated[str, length(0, 255), pattern(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*")]
HostName = Annotated[str, length(1, 255), pattern(r"[A-Za-z0-9._-]*")]
GuestHostName = Annotated[str, length(1, 255), pattern(r"[A-Za-z0-9._-]*")]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[^,/]*$")]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_:. -]{1,255}$")]
Metadata = dict[MetadataKey, Annotated[str, length(0, 255)]]
DiskConfig = Literal["AUTO", "MANUAL"]


class NetworkWish(Body):
    """One entry of `networks`: a network to make a port on, or a port that is there."""

    uuid: str | Unset = UNSET
    port: str | Unset | None = UNSET
    fixed_ip: str | Unset = UNSET
    tag: Annotated[Tag, since("2.32")] | Unset = UNSET


class GroupWish(Body):
    name: Name


class InjectedFile(Body):
    path: Annotated[str, length(1, 255)]
    contents: str


class ServerWish(Body):
    """POST /servers: what is under `server`."""

    name: Name
    flavorRef: int | Annotated[str, length(1, 255)]
    imageRef: str | Unset = UNSET
    networks: list[NetworkWish] | str | Unset = UNSET
    adminPass: Annotated[str, length(0, 255)] | Unset = UNSET
    accessIPv4: str | Unset = UNSET
    accessIPv6: str | Unset = UNSET
    availability_zone: Name | Unset = UNSET
    block_device_mapping: list[dict[str, Any]] | Unset = UNSET
    block_device_mapping_v2: list[dict[str, Any]] | Unset = UNSET
    config_drive: Flag | Unset | None = UNSET
    description: Annotated[Description | None, since("2.19")] | Unset = UNSET
    disk_config: DiskConfig = rename(name="OS-DCF:diskConfig", default="MANUAL")
    host: Annotated[HostName, since("2.74")] | Unset = UNSET
    hostname: Annotated[GuestHostName, since("2.90")] | Unset = UNSET
    hypervisor_hostname: Annotated[HostName, since("2.74")] | Unset = UNSET
    key_name: Name | Unset | None = UNSET
    max_count: Whole | Unset = UNSET
    metadata: Metadata = {}
    min_count: Whole | Unset = UNSET
    personality: Annotated[list[InjectedFile], until("2.56")] | Unset = UNSET
    return_reservation_id: Flag = False
    security_groups: list[GroupWish] | Unset = UNSET
    tags: Annotated[Annotated[list[Tag], length(0, 50)], since("2.52")] | Unset = UNSET
    trusted_image_certificates: Annotated[list[str] | None, since("2.63")] | Unset = UNSET
    user_data: Annotated[str, length(0, 65535)] | Unset | None = UNSET


class ServerCreate(Body):
    """POST /servers."""

    server: ServerWish
    hints: dict[str, Any] | Unset = rename(name="os:scheduler_hints", default=UNSET)
    hints_too: dict[str, Any] | Unset = rename(name="OS-SCH-HNT:scheduler_hints", default=UNSET)


class ServerUpdate(Body):
    """PUT /servers/{id}."""

    __wrap__ = "server"
    name: Name | Unset = UNSET
    accessIPv4: str | Unset | None = UNSET
    accessIPv6: str | Unset | None = UNSET
    description: Annotated[Description | None, since("2.19")] | Unset = UNSET
    disk_config: DiskConfig | Unset = rename(name="OS-DCF:diskConfig", default=UNSET)
    hostname: Annotated[GuestHostName, since("2.90")] | Unset = UNSET
    pinned_availability_zone: Annotated[Name | None, since("2.104")] | Unset = UNSET


class ServerRebuild(Body):
    """Action `rebuild`."""

    imageRef: str
    name: Name | Unset = UNSET
    accessIPv4: str | Unset = UNSET
    accessIPv6: str | Unset = UNSET
    adminPass: Annotated[str, length(0, 255)] | Unset = UNSET
    description: Annotated[Description | None, since("2.19")] | Unset = UNSET
    disk_config: DiskConfig | Unset = rename(name="OS-DCF:diskConfig", default=UNSET)
    hostname: Annotated[GuestHostName, since("2.90")] | Unset = UNSET
    key_name: Annotated[Name | None, since("2.54")] | Unset = UNSET
    metadata: Metadata | Unset = UNSET
    personality: Annotated[list[InjectedFile], until("2.56")] | Unset = UNSET
    preserve_ephemeral: Flag = False
    trusted_image_certificates: Annotated[list[str] | None, since("2.63")] | Unset = UNSET
    user_data: Annotated[Annotated[str, length(0, 65535)] | None, since("2.57")] | Unset = UNSET


class ServerQuery(
    Query,
    rename={
        "changes_since": "changes-since",
        "changes_before": "changes-before",
        "not_tags": "not-tags",
        "tags_any": "tags-any",
        "not_tags_any": "not-tags-any",
    },
):
    """GET /servers and /servers/detail. What a caller may not filter by is passed over."""

    limit: str | Unset = UNSET
    marker: str | Unset = UNSET
    sort_key: list[str] = []
    sort_dir: list[str] = []
    all_tenants: str | Unset = UNSET
    project_id: str | Unset = UNSET
    tenant_id: str | Unset = UNSET
    changes_since: str | Unset = UNSET
    changes_before: Annotated[str, since("2.66")] | Unset = UNSET
    name: str | Unset = UNSET
    status: list[str] = []
    image: str | Unset = UNSET
    flavor: str | Unset = UNSET
    ip: str | Unset = UNSET
    ip6: str | Unset = UNSET
    reservation_id: str | Unset = UNSET
    tags: Annotated[str, since("2.26")] | Unset = UNSET
    tags_any: Annotated[str, since("2.26")] | Unset = UNSET
    not_tags: Annotated[str, since("2.26")] | Unset = UNSET
    not_tags_any: Annotated[str, since("2.26")] | Unset = UNSET
    locked: Annotated[str, since("2.73")] | Unset = UNSET
    access_ip_v4: str | Unset = UNSET
    access_ip_v6: str | Unset = UNSET
    auto_disk_config: str | Unset = UNSET
    availability_zone: str | Unset = UNSET
    config_drive: str | Unset = UNSET
    created_at: str | Unset = UNSET
    deleted: str | Unset = UNSET
    description: str | Unset = UNSET
    display_description: str | Unset = UNSET
    display_name: str | Unset = UNSET
    host: str | Unset = UNSET
    hostname: str | Unset = UNSET
    kernel_id: str | Unset = UNSET
    key_name: str | Unset = UNSET
    launch_index: str | Unset = UNSET
    launched_at: str | Unset = UNSET
    locked_by: str | Unset = UNSET
    node: str | Unset = UNSET
    power_state: str | Unset = UNSET
    progress: str | Unset = UNSET
    ramdisk_id: str | Unset = UNSET
    root_device_name: str | Unset = UNSET
    soft_deleted: str | Unset = UNSET
    task_state: str | Unset = UNSET
    terminated_at: str | Unset = UNSET
    user_id: str | Unset = UNSET
    uuid: str | Unset = UNSET
    vm_state: str | Unset = UNSET


class ServerCreated(Reply):
    id: str
    links: list[Link]
    security_groups: list[dict[str, str]]
    adminPass: str
    disk_config: str = rename(name="OS-DCF:diskConfig")


class ServerRef(Reply):
    id: str
    name: str
    links: list[Link]


class ServerRefs(Reply):
    servers: list[ServerRef]
    servers_links: list[Link] | Unset = UNSET


class Address(msgspec.Struct):
    version: int
    addr: str


class FullAddress(msgspec.Struct):
    version: int
    addr: str
    type: str = rename(name="OS-EXT-IPS:type")
    mac: str = rename(name="OS-EXT-IPS-MAC:mac_addr")


class FlavorShown(msgspec.Struct, kw_only=True):
    id: Annotated[str, until("2.46")] | Unset = UNSET
    links: Annotated[list[Link], until("2.46")] | Unset = UNSET
    original_name: Annotated[str, since("2.47")] | Unset = UNSET
    vcpus: Annotated[int, since("2.47")] | Unset = UNSET
    ram: Annotated[int, since("2.47")] | Unset = UNSET
    disk: Annotated[int, since("2.47")] | Unset = UNSET
    ephemeral: Annotated[int, since("2.47")] | Unset = UNSET
    swap: Annotated[int, since("2.47")] | Unset = UNSET
    extra_specs: Annotated[dict[str, str], since("2.47")] | Unset = UNSET


class ImageShown(msgspec.Struct):
    id: str
    links: list[Link]
    properties: Annotated[dict[str, str], since("2.98")] | Unset = UNSET


class Server(Reply):
    """A server as list, show, update and rebuild give it; what only some of them give is left at UNSET by the others."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    hostId: str
    image: ImageShown
    flavor: FlavorShown
    created: str
    updated: str
    addresses: dict[str, list[FullAddress]] | dict[str, list[Address]]
    accessIPv4: str
    accessIPv6: str
    links: list[Link]
    disk_config: str = rename(name="OS-DCF:diskConfig")
    progress: int | Unset = UNSET
    fault: dict[str, Any] | Unset = UNSET
    key_name: str | Unset | None = UNSET
    config_drive: str | Unset = UNSET
    security_groups: list[dict[str, str]] | Unset = UNSET
    availability_zone: str | Unset = rename(name="OS-EXT-AZ:availability_zone", default=UNSET)
    launched_at: str | Unset | None = rename(name="OS-SRV-USG:launched_at", default=UNSET)
    terminated_at: str | Unset | None = rename(name="OS-SRV-USG:terminated_at", default=UNSET)
    task_state: str | Unset | None = rename(name="OS-EXT-STS:task_state", default=UNSET)
    vm_state: str | Unset = rename(name="OS-EXT-STS:vm_state", default=UNSET)
    power_state: int | Unset = rename(name="OS-EXT-STS:power_state", default=UNSET)
    volumes_attached: list[dict[str, Any]] | Unset = rename(name="os-extended-volumes:volumes_attached", default=UNSET)
    host: str | Unset | None = rename(name="OS-EXT-SRV-ATTR:host", default=UNSET)
    instance_name: str | Unset = rename(name="OS-EXT-SRV-ATTR:instance_name", default=UNSET)
    hypervisor_hostname: str | Unset | None = rename(name="OS-EXT-SRV-ATTR:hypervisor_hostname", default=UNSET)
    hostname: Annotated[str, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:hostname", default=UNSET)
    reservation_id: Annotated[str, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:reservation_id", default=UNSET)
    launch_index: Annotated[int, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:launch_index", default=UNSET)
    kernel_id: Annotated[str, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:kernel_id", default=UNSET)
    ramdisk_id: Annotated[str, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:ramdisk_id", default=UNSET)
    root_device_name: Annotated[str, since("2.3")] | Unset = rename(
        name="OS-EXT-SRV-ATTR:root_device_name", default=UNSET
    )
    ext_user_data: Annotated[str | None, since("2.3")] | Unset = rename(name="OS-EXT-SRV-ATTR:user_data", default=UNSET)
    locked: Annotated[bool, since("2.9")] | Unset = UNSET
    host_status: Annotated[str, since("2.16")] | Unset = UNSET
    description: Annotated[str | None, since("2.19")] | Unset = UNSET
    tags: Annotated[list[str], since("2.26")] | Unset = UNSET
    user_data: Annotated[str | None, since("2.57")] | Unset = UNSET
    trusted_image_certificates: Annotated[list[str] | None, since("2.63")] | Unset = UNSET
    server_groups: Annotated[list[str], since("2.71")] | Unset = UNSET
    locked_reason: Annotated[str | None, since("2.73")] | Unset = UNSET
    pinned_availability_zone: Annotated[str | None, since("2.96")] | Unset = UNSET
    scheduler_hints: Annotated[dict[str, Any], since("2.100")] | Unset = UNSET
    adminPass: str | Unset = UNSET


class Rebuilt(Server):
    key_name: Annotated[str | None, since("2.54")] | Unset = UNSET


class ServerShown(Reply):
    server: Server


class ServersShown(Reply):
    servers: list[Server]
    servers_links: list[Link] | Unset = UNSET
