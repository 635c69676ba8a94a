"""Requests that a cloud takes gladly: the first furniture of the world, and what hostile values are put into."""

import json
import re
from typing import Any

import msgspec

LATEST = {"OpenStack-API-Version": "compute 2.104, placement 1.39"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfWWQn0p8Kl7E2rXGH0bqIYt3Gx4kZIYWjW0f8oXw5f fuzz"


class Recipe(msgspec.Struct, frozen=True):
    """`{servers}` in path or body stands for the id of the first server, `{servers.1}` for that of the second."""

    method: str
    path: str
    body: Any = None
    """JSON; bytes as they are."""
    headers: dict[str, str] = msgspec.field(default_factory=LATEST.copy)


class Known:
    """Ids of what there is, by the name of the collection in the path."""

    def __init__(self) -> None:
        self.ids: dict[str, list[str]] = {}

    def note(self, collection: str, name: str) -> None:
        ids = self.ids.setdefault(collection, [])
        if name not in ids:
            ids.append(name)

    def note_answer(self, path: str, raw: bytes) -> None:
        value = _json(raw)
        if isinstance(value, dict):
            inner = next(iter(value.values())) if len(value) == 1 else value
            self._note_item(path, inner)

    def note_list(self, path: str, raw: bytes) -> None:
        value = _json(raw)
        items = next((inner for inner in value.values() if isinstance(inner, list)), [])
        for item in items[:5]:
            self._note_item(path, item)

    def _note_item(self, path: str, item: Any) -> None:
        if isinstance(item, dict):
            inner = next(iter(item.values())) if len(item) == 1 else item
            found = inner if isinstance(inner, dict) else item
            name = next((found[key] for key in ("id", "uuid", "namespace", "name") if key in found), None)
            if isinstance(name, str | int):
                self.note(path.partition("?")[0].rstrip("/").rsplit("/", 1)[-1], str(name))

    def of_parameter(self, path: str, name: str) -> list[str]:
        """What there is for `{name}` in a route's path: the items of the collection before it."""
        parts = path.split("/")
        at = next(index for index, part in enumerate(parts) if part.startswith(f"{{{name}"))
        return self.ids.get(parts[at - 1], []) or self.ids.get(name.removesuffix("_id") + "s", [])

    def fill(self, value: Any) -> Any:
        """`value` with `{collection}` replaced by the first id that is known, `{collection.1}` by the second."""
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            return json.loads(self.fill(json.dumps(value)))
        return re.sub(r"\{([a-z_-]+)(?:\.(\d))?\}", lambda found: self.ids[found[1]][int(found[2] or 0)], value)


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def login(password: str) -> Any:
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    return {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
    }


IDENTITY, NETWORK, COMPUTE, PLACEMENT, IMAGE = (
    "/identity/v3",
    "/network/v2.0",
    "/compute/v2.1",
    "/placement",
    "/image/v2",
)

FIRST = [
    Recipe("POST", f"{IDENTITY}/domains", {"domain": {"name": "d", "enabled": True, "description": "x"}}),
    Recipe(
        "POST",
        f"{IDENTITY}/projects",
        {"project": {"name": "p", "domain_id": "{domains}", "tags": ["t"], "color": "x"}},
    ),
    Recipe(
        "POST",
        f"{IDENTITY}/users",
        {"user": {"name": "u", "domain_id": "{domains}", "password": "pw", "default_project_id": "{projects}", "x": 1}},
    ),
    Recipe("POST", f"{IDENTITY}/groups", {"group": {"name": "g", "domain_id": "{domains}", "description": ""}}),
    Recipe("POST", f"{IDENTITY}/roles", {"role": {"name": "r", "description": "x"}}),
    Recipe("PUT", f"{IDENTITY}/projects/{{projects}}/users/{{users}}/roles/{{roles}}"),
    Recipe("PUT", f"{IDENTITY}/groups/{{groups}}/users/{{users}}"),
    Recipe("POST", f"{IDENTITY}/regions", {"region": {"id": "fuzz", "description": "x", "parent_region_id": None}}),
    Recipe("POST", f"{IDENTITY}/services", {"service": {"type": "t", "name": "n", "enabled": True}}),
    Recipe(
        "POST",
        f"{IDENTITY}/endpoints",
        {
            "endpoint": {
                "service_id": "{services}",
                "interface": "public",
                "url": "http://x/$(project_id)s",
                "region_id": "{regions}",
            }
        },
    ),
    Recipe(
        "POST",
        f"{IDENTITY}/credentials",
        {"credential": {"type": "ec2", "blob": '{"access": "a", "secret": "s"}', "project_id": "{projects}"}},
    ),
    Recipe("POST", f"{IDENTITY}/policies", {"policy": {"type": "application/json", "blob": "x"}}),
    Recipe(
        "POST",
        f"{IDENTITY}/registered_limits",
        {"registered_limits": [{"service_id": "{services}", "resource_name": "r", "default_limit": 5}]},
    ),
    Recipe(
        "POST",
        f"{IMAGE}/images",
        {"name": "i", "disk_format": "raw", "container_format": "bare", "min_disk": 0, "tags": ["t"], "hw_x": "y"},
    ),
    Recipe("PUT", f"{IMAGE}/images/{{images}}/file", b"x" * 4096, {"Content-Type": "application/octet-stream"}),
    Recipe("POST", f"{IMAGE}/metadefs/namespaces", {"namespace": "fuzz", "display_name": "x", "visibility": "public"}),
    Recipe(
        "POST",
        f"{IMAGE}/metadefs/namespaces/fuzz/objects",
        {"name": "o", "properties": {"p": {"title": "t", "type": "string"}}},
    ),
    Recipe("POST", f"{IMAGE}/metadefs/namespaces/fuzz/properties", {"name": "p", "title": "t", "type": "integer"}),
    Recipe("POST", f"{IMAGE}/metadefs/namespaces/fuzz/tags/t"),
    Recipe("POST", f"{NETWORK}/networks", {"network": {"name": "n", "mtu": 1400, "admin_state_up": True}}),
    Recipe(
        "POST",
        f"{NETWORK}/subnets",
        {
            "subnet": {
                "network_id": "{networks}",
                "ip_version": 4,
                "cidr": "10.9.0.0/24",
                "name": "s",
                "gateway_ip": "10.9.0.1",
                "allocation_pools": [{"start": "10.9.0.10", "end": "10.9.0.200"}],
                "dns_nameservers": ["9.9.9.9"],
                "host_routes": [{"destination": "10.8.0.0/16", "nexthop": "10.9.0.7"}],
            }
        },
    ),
    Recipe(
        "POST",
        f"{NETWORK}/subnetpools",
        {"subnetpool": {"name": "x", "prefixes": ["10.7.0.0/16"], "min_prefixlen": 24}},
    ),
    Recipe("POST", f"{NETWORK}/address-scopes", {"address_scope": {"name": "x", "ip_version": 4}}),
    Recipe("POST", f"{NETWORK}/address-groups", {"address_group": {"name": "x", "addresses": ["10.0.0.0/8"]}}),
    Recipe(
        "POST", f"{NETWORK}/security-groups", {"security_group": {"name": "x", "description": "x", "stateful": True}}
    ),
    Recipe(
        "POST",
        f"{NETWORK}/security-group-rules",
        {
            "security_group_rule": {
                "security_group_id": "{security-groups}",
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "tcp",
                "port_range_min": 22,
                "port_range_max": 22,
                "remote_ip_prefix": "0.0.0.0/0",
            }
        },
    ),
    Recipe(
        "POST",
        f"{NETWORK}/ports",
        {
            "port": {
                "network_id": "{networks}",
                "name": "x",
                "fixed_ips": [{"subnet_id": "{subnets}", "ip_address": "10.9.0.50"}],
                "mac_address": "fa:16:3e:00:00:01",
                "allowed_address_pairs": [{"ip_address": "10.9.0.60"}],
                "security_groups": ["{security-groups}"],
                "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
            }
        },
    ),
    Recipe("POST", f"{NETWORK}/routers", {"router": {"name": "x", "admin_state_up": True}}),
    Recipe("PUT", f"{NETWORK}/routers/{{routers}}/add_router_interface", {"subnet_id": "{subnets}"}),
    Recipe(
        "POST",
        f"{NETWORK}/rbac-policies",
        {
            "rbac_policy": {
                "object_type": "network",
                "object_id": "{networks}",
                "action": "access_as_shared",
                "target_tenant": "*",
            }
        },
    ),
    Recipe("PUT", f"{NETWORK}/networks/{{networks}}/tags", {"tags": ["a", "b"]}),
    Recipe("PUT", f"{NETWORK}/quotas/{{projects}}", {"quota": {"network": 5, "port": -1}}),
    Recipe("POST", f"{COMPUTE}/os-keypairs", {"keypair": {"name": "k", "public_key": KEY, "type": "ssh"}}),
    Recipe(
        "POST",
        f"{COMPUTE}/flavors",
        {"flavor": {"name": "f", "vcpus": 1, "ram": 64, "disk": 1, "id": "auto", "rxtx_factor": 1.0, "swap": 0}},
    ),
    Recipe("POST", f"{COMPUTE}/flavors/{{flavors}}/os-extra_specs", {"extra_specs": {"hw:watchdog": "reset"}}),
    Recipe("POST", f"{COMPUTE}/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "z"}}),
    Recipe("POST", f"{COMPUTE}/os-aggregates/{{os-aggregates}}/action", {"set_metadata": {"metadata": {"x": "y"}}}),
    Recipe("POST", f"{COMPUTE}/os-server-groups", {"server_group": {"name": "g", "policy": "anti-affinity"}}),
    Recipe("PUT", f"{COMPUTE}/os-quota-sets/{{projects}}", {"quota_set": {"cores": 50, "force": True}}),
    Recipe("POST", f"{PLACEMENT}/resource_providers", {"name": "rp", "uuid": "bbbbbbbb-0000-4000-8000-000000000001"}),
    Recipe("PUT", f"{PLACEMENT}/resource_classes/CUSTOM_X"),
    Recipe("PUT", f"{PLACEMENT}/traits/CUSTOM_T"),
    Recipe(
        "PUT",
        f"{PLACEMENT}/resource_providers/{{resource_providers}}/inventories",
        {
            "resource_provider_generation": 0,
            "inventories": {
                "VCPU": {
                    "total": 8,
                    "reserved": 1,
                    "min_unit": 1,
                    "max_unit": 8,
                    "step_size": 1,
                    "allocation_ratio": 2.0,
                }
            },
        },
    ),
    Recipe(
        "PUT",
        f"{PLACEMENT}/allocations/cccccccc-0000-4000-8000-000000000001",
        {
            "allocations": {"{resource_providers}": {"resources": {"VCPU": 1}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        },
    ),
    Recipe(
        "POST",
        f"{COMPUTE}/servers",
        {
            "server": {
                "name": "s",
                "imageRef": "{images}",
                "flavorRef": "{flavors}",
                "networks": [{"uuid": "{networks}", "tag": "x"}],
                "key_name": "k",
                "metadata": {"a": "b"},
                "user_data": "aGVsbG8=",
                "min_count": 1,
                "max_count": 1,
                "tags": ["x"],
                "description": "x",
                "config_drive": True,
                "availability_zone": "nova",
                "hostname": "s",
                "block_device_mapping_v2": [
                    {
                        "boot_index": 0,
                        "source_type": "image",
                        "destination_type": "local",
                        "uuid": "{images}",
                        "delete_on_termination": True,
                    }
                ],
            },
            "os:scheduler_hints": {"group": "{os-server-groups}"},
        },
    ),
]
"""In this order: later ones refer to earlier ones. All of them succeed on an empty cloud."""

LATER = [
    Recipe("PATCH", f"{IDENTITY}/users/{{users}}", {"user": {"name": "u2", "enabled": True, "options": {}}}),
    Recipe(
        "PATCH", f"{IDENTITY}/projects/{{projects}}", {"project": {"name": "p2", "description": "x", "options": {}}}
    ),
    Recipe("PUT", f"{IDENTITY}/projects/{{projects}}/tags", {"tags": ["a", "b"]}),
    Recipe("PUT", f"{IDENTITY}/domains/{{domains}}/config", {"config": {"identity": {"driver": "x"}}}),
    Recipe(
        "POST",
        f"{IDENTITY}/users/{{users.1}}/application_credentials",
        {
            "application_credential": {
                "name": "x",
                "secret": "s",
                "expires_at": "2030-01-01T00:00:00.000000Z",
                "roles": [{"name": "admin"}],
                "access_rules": [{"path": "/v2.1/servers", "method": "GET", "service": "compute"}],
            }
        },
    ),
    Recipe("POST", f"{IDENTITY}/users/{{users}}/password", {"user": {"password": "x", "original_password": "pw"}}),
    Recipe("POST", f"{IDENTITY}/auth/tokens", login("fuzzed")),
    Recipe(
        "POST",
        f"{IDENTITY}/limits",
        {
            "limits": [
                {"service_id": "{services}", "resource_name": "r", "resource_limit": 5, "project_id": "{projects}"}
            ]
        },
    ),
    Recipe(
        "POST",
        f"{IDENTITY}/OS-TRUST/trusts",
        {
            "trust": {
                "trustor_user_id": "{users.1}",
                "trustee_user_id": "{users}",
                "project_id": "{projects}",
                "impersonation": True,
                "roles": [{"name": "admin"}],
                "expires_at": None,
                "remaining_uses": 3,
            }
        },
    ),
    Recipe(
        "PATCH", f"{IDENTITY}/endpoints/{{endpoints}}", {"endpoint": {"url": "http://y/%(tenant_id)s", "enabled": True}}
    ),
    Recipe(
        "PATCH",
        f"{IMAGE}/images/{{images}}",
        [
            {"op": "add", "path": "/a", "value": "x"},
            {"op": "replace", "path": "/name", "value": "y"},
            {"op": "replace", "path": "/min_ram", "value": 1},
        ],
        {"Content-Type": "application/openstack-images-v2.1-json-patch"},
    ),
    Recipe("POST", f"{IMAGE}/images/{{images}}/members", {"member": "p"}),
    Recipe("POST", f"{IMAGE}/images/{{images}}/import", {"method": {"name": "glance-direct"}, "stores": ["file"]}),
    Recipe(
        "POST", f"{IMAGE}/images/{{images}}/import", {"method": {"name": "web-download", "uri": "http://127.0.0.1:1/x"}}
    ),
    Recipe("PUT", f"{IMAGE}/metadefs/namespaces/fuzz", {"namespace": "fuzz", "description": "x", "protected": False}),
    Recipe("POST", f"{IMAGE}/metadefs/namespaces/fuzz/resource_types", {"name": "OS::x", "prefix": "y"}),
    Recipe("POST", f"{IMAGE}/metadefs/namespaces/fuzz/tags", {"tags": [{"name": "x"}]}),
    Recipe(
        "PUT",
        f"{NETWORK}/ports/{{ports}}",
        {"port": {"fixed_ips": [{"ip_address": "10.9.0.70"}], "device_id": "x"}},
    ),
    Recipe(
        "PUT",
        f"{NETWORK}/routers/{{routers}}",
        {
            "router": {
                "routes": [{"destination": "10.4.0.0/16", "nexthop": "10.9.0.9"}],
                "external_gateway_info": {"network_id": "{networks.1}", "enable_snat": True},
            }
        },
    ),
    Recipe(
        "PUT",
        f"{NETWORK}/subnets/{{subnets}}",
        {"subnet": {"name": "y", "dns_nameservers": ["1.1.1.1"], "enable_dhcp": False}},
    ),
    Recipe(
        "PUT", f"{NETWORK}/networks/{{networks}}", {"network": {"mtu": 1300, "shared": True, "router:external": True}}
    ),
    Recipe(
        "POST",
        f"{NETWORK}/floatingips",
        {"floatingip": {"floating_network_id": "{networks.1}", "description": "x", "dns_name": ""}},
    ),
    Recipe(
        "POST",
        f"{NETWORK}/ports",
        {"ports": [{"network_id": "{networks}", "name": "bulk"}, {"network_id": "{networks}", "name": "bulk2"}]},
    ),
    Recipe("PUT", f"{COMPUTE}/servers/{{servers}}", {"server": {"name": "x", "description": "y", "hostname": "h"}}),
    Recipe("PUT", f"{COMPUTE}/servers/{{servers}}/metadata", {"metadata": {"a": "b"}}),
    Recipe("PUT", f"{COMPUTE}/servers/{{servers}}/tags", {"tags": ["a"]}),
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/os-interface", {"interfaceAttachment": {"net_id": "{networks}"}}),
    *[
        Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {name: None})
        for name in ("os-start", "os-stop", "pause", "unpause", "suspend", "resume", "lock", "unlock", "forceDelete")
    ],
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {"reboot": {"type": "HARD"}}),
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {"os-getConsoleOutput": {"length": 10}}),
    Recipe(
        "POST",
        f"{COMPUTE}/servers/{{servers}}/remote-consoles",
        {"remote_console": {"protocol": "vnc", "type": "novnc"}},
    ),
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {"lock": {"locked_reason": "x"}}),
    Recipe(
        "POST",
        f"{COMPUTE}/servers/{{servers}}/action",
        {"rebuild": {"imageRef": "{images}", "name": "x", "metadata": {"a": "b"}, "user_data": "aGVsbG8="}},
    ),
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {"addSecurityGroup": {"name": "x"}}),
    Recipe("POST", f"{COMPUTE}/servers/{{servers}}/action", {"os-resetState": {"state": "active"}}),
    Recipe("PUT", f"{COMPUTE}/flavors/{{flavors}}", {"flavor": {"description": "x"}}),
    Recipe("POST", f"{COMPUTE}/flavors/{{flavors}}/action", {"addTenantAccess": {"tenant": "{projects}"}}),
    Recipe("PUT", f"{COMPUTE}/os-quota-class-sets/default", {"quota_class_set": {"cores": 5}}),
    Recipe("POST", f"{COMPUTE}/os-aggregates/{{os-aggregates}}/action", {"add_host": {"host": "{hosts}"}}),
    Recipe(
        "POST",
        f"{COMPUTE}/os-server-external-events",
        {"events": [{"name": "network-changed", "server_uuid": "{servers}", "tag": "x", "status": "completed"}]},
    ),
    Recipe(
        "PUT",
        f"{PLACEMENT}/resource_providers/{{resource_providers}}/traits",
        {"resource_provider_generation": 1, "traits": ["CUSTOM_T"]},
    ),
    Recipe(
        "PUT",
        f"{PLACEMENT}/resource_providers/{{resource_providers}}/aggregates",
        {"resource_provider_generation": 1, "aggregates": ["dddddddd-0000-4000-8000-000000000001"]},
    ),
    Recipe(
        "POST",
        f"{PLACEMENT}/allocations",
        {
            "cccccccc-0000-4000-8000-000000000002": {
                "allocations": {"{resource_providers}": {"resources": {"VCPU": 1}, "generation": 1}},
                "project_id": "p",
                "user_id": "u",
                "consumer_generation": None,
                "consumer_type": "INSTANCE",
                "mappings": {"": ["{resource_providers}"]},
            }
        },
    ),
    Recipe(
        "PUT", f"{PLACEMENT}/resource_providers/{{resource_providers}}", {"name": "x", "parent_provider_uuid": None}
    ),
]
"""On a furnished cloud; some of them are refused there for good reasons."""

QUERIES = [
    f"{COMPUTE}/servers/detail?limit=2&marker={{servers}}&sort_key=created_at&sort_dir=asc&name=x&status=ACTIVE&all_tenants=1&changes-since=2020-01-01T00:00:00Z&ip=10&ip6=f&tags=a,b&flavor=1&image=x&host=h&locked=true&deleted=0&limit=3",
    f"{COMPUTE}/flavors/detail?limit=1&marker={{flavors}}&minRam=1&minDisk=1&is_public=None&sort_key=memory_mb&sort_dir=desc",
    f"{COMPUTE}/os-hypervisors/detail?limit=1&marker=x&with_servers=true&hypervisor_hostname_pattern=x",
    f"{COMPUTE}/os-simple-tenant-usage?start=2020-01-01T00:00:00&end=2030-01-01&detailed=1&limit=1&marker=x",
    f"{COMPUTE}/servers/{{servers}}/os-instance-actions?limit=1&marker=x&changes-since=2020-01-01T00:00:00Z&changes-before=2030-01-01T00:00:00Z",
    f"{COMPUTE}/os-keypairs?user_id=x&limit=1&marker=k",
    f"{COMPUTE}/os-server-groups?all_projects=1&limit=1&offset=1",
    f"{NETWORK}/ports?limit=1&marker={{ports}}&sort_key=name&sort_dir=asc&fields=id&fixed_ips=ip_address%3D10.9.0.50&fixed_ips=subnet_id%3D{{subnets}}&admin_state_up=true&tags=a&not-tags=b&page_reverse=true&status=DOWN&mac_address=x&security_groups=x",
    f"{NETWORK}/networks?name=n&mtu=1400&router:external=false&shared=true&limit=1&sort_key=mtu&sort_dir=desc&fields=name&provider:segmentation_id=5&tags-any=x",
    f"{NETWORK}/subnets?cidr=10.9.0.0/24&ip_version=4&enable_dhcp=true&limit=2&fields=id",
    f"{NETWORK}/security-group-rules?port_range_min=22&protocol=tcp&direction=ingress&remote_ip_prefix=x&limit=2",
    f"{NETWORK}/floatingips?floating_ip_address=x&router_id=x&port_id=x&limit=1&marker=x",
    f"{NETWORK}/agents?alive=true&host=x&binary=y&admin_state_up=1",
    f"{IMAGE}/images?limit=1&marker={{images}}&sort=name:asc,size:desc&sort_key=name&sort_dir=asc&size_min=1&size_max=5&created_at=gte:2020-01-01T00:00:00Z&updated_at=lt:2030-01-01T00:00:00Z&tag=t&visibility=all&member_status=all&os_hidden=false&protected=true&hw_x=y&id=in:a,b&name=in:%22a%22,b&status=in:queued,active&disk_format=raw",
    f"{IMAGE}/tasks?limit=1&marker=x&sort_key=created_at&type=import&status=pending",
    f"{IMAGE}/metadefs/namespaces?limit=1&marker=fuzz&sort_key=created_at&visibility=public&resource_types=x",
    f"{IDENTITY}/users?limit=1&marker=x&name=u&name__contains=u&enabled=true&domain_id=default&password_expires_at=lt:2020-01-01T00:00:00Z&sort_key=name",
    f"{IDENTITY}/projects?name__icontains=u&is_domain=true&parent_id=x&tags=t&not-tags-any=x&enabled=1",
    f"{IDENTITY}/role_assignments?user.id=x&scope.project.id=x&effective&include_names&include_subtree=1&role.id=x&scope.OS-INHERIT:inherited_to=projects&scope.system=all",
    f"{IDENTITY}/projects/{{projects}}?parents_as_list&subtree_as_list",
    f"{IDENTITY}/limits?service_id=x&resource_name=r&region_id=y",
    f"{IDENTITY}/endpoints?interface=public&service_id=x&region_id=y",
    f"{PLACEMENT}/allocation_candidates?resources=VCPU:1,MEMORY_MB:64&required=CUSTOM_T,!CUSTOM_U&limit=1&group_policy=none&resources1=DISK_GB:1&required1=in:CUSTOM_T&member_of=in:dddddddd-0000-4000-8000-000000000001&in_tree={{resource_providers}}&root_required=CUSTOM_T&same_subtree=_a,_b",
    f"{PLACEMENT}/resource_providers?name=x&uuid={{resource_providers}}&member_of=in:a,b&resources=VCPU:1&in_tree={{resource_providers}}&required=CUSTOM_T",
    f"{PLACEMENT}/usages?project_id=p&user_id=u&consumer_type=INSTANCE",
    f"{PLACEMENT}/traits?name=in:A,B&associated=true",
    "/node/v1/hosts/{hosts}/spec?seen=1&wait=0",
]

LISTS = [
    *[
        f"{IDENTITY}/{name}"
        for name in ("roles", "users", "projects", "services", "endpoints", "domains", "registered_limits")
    ],
    *[
        f"{NETWORK}/{name}"
        for name in ("security-groups", "security-group-rules", "networks", "subnets", "agents", "ports")
    ],
    *[
        f"{COMPUTE}/{name}"
        for name in ("flavors", "os-services", "os-hypervisors", "servers", "extensions", "os-keypairs")
    ],
    f"{PLACEMENT}/resource_providers",
    f"{IMAGE}/metadefs/namespaces",
]
