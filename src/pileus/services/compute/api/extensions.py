"""The list of extensions, as clients before microversions looked at it."""

from __future__ import annotations

from typing import Any

from pileus.core.errors import NotFound
from pileus.services.compute.service import api

NAMES = {
    "flavors": "Flavors",
    "limits": "Limits",
    "os-admin-actions": "AdminActions",
    "os-aggregates": "Aggregates",
    "os-attach-interfaces": "AttachInterfaces",
    "os-availability-zone": "AvailabilityZone",
    "os-config-drive": "ConfigDrive",
    "os-console-output": "ConsoleOutput",
    "os-consoles": "Consoles",
    "os-extended-availability-zone": "ExtendedAvailabilityZone",
    "os-extended-server-attributes": "ExtendedServerAttributes",
    "os-extended-status": "ExtendedStatus",
    "os-flavor-access": "FlavorAccess",
    "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage",
    "os-hosts": "Hosts",
    "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions",
    "os-keypairs": "Keypairs",
    "os-lock-server": "LockServer",
    "os-migrations": "Migrations",
    "os-pause-server": "PauseServer",
    "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas",
    "os-remote-consoles": "Consoles",
    "os-scheduler-hints": "SchedulerHints",
    "os-server-external-events": "ServerExternalEvents",
    "os-server-groups": "ServerGroups",
    "os-services": "Services",
    "os-simple-tenant-usage": "SimpleTenantUsage",
    "os-suspend-server": "SuspendServer",
    "os-user-data": "UserData",
    "servers": "Servers",
}
"""Alias -> name, of those that this cloud serves."""
UPDATED = "2014-12-03T00:00:00Z"
NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"


def extension(alias: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": NAMES[alias],
        "description": "",
        "links": [],
        "namespace": NAMESPACE,
        "updated": UPDATED,
    }


@api.get("/extensions", policy="os_compute_api:extensions")
def list_extensions() -> dict[str, Any]:
    return {"extensions": [extension(alias) for alias in NAMES]}


@api.get("/extensions/{alias}", policy="os_compute_api:extensions")
def show_extension(alias: str) -> dict[str, Any]:
    if alias not in NAMES:
        raise NotFound(f"There is no extension {alias}.")
    return {"extension": extension(alias)}
