"""Policies that other services keep here, and what each is the policy of."""

from __future__ import annotations

from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.store import rows
from pileus.services.identity.types.catalog import EndpointRow, RegionRow
from pileus.services.identity.types.policies import AssociationRow, PolicyRow


def _of(association: AssociationRow) -> dict[str, str | None]:
    names = ("endpoint_id", "service_id", "region_id")
    return {name: getattr(association, name) for name in names}


def associate(tx: Tx, wanted: AssociationRow) -> None:
    """What had another policy has this one afterwards."""
    for old in rows.where(tx, AssociationRow, **_of(wanted)):
        rows.delete(tx, old)
    rows.insert(tx, wanted)


def must_be_associated(tx: Tx, wanted: AssociationRow) -> AssociationRow:
    for found in rows.where(tx, AssociationRow, policy_id=wanted.policy_id, **_of(wanted)):
        return found
    raise NotFound(f"Policy {wanted.policy_id} is not associated with this.")


def association(
    policy: PolicyRow, endpoint_id: str | None, service_id: str | None, region_id: str | None
) -> AssociationRow:
    return AssociationRow(new_hex_id(), policy.id, endpoint_id, service_id, region_id)


def policy_for(tx: Tx, endpoint: EndpointRow) -> PolicyRow:
    """The endpoint's own; else its service's in its region or the nearest one above; else its service's.

    Raises NotFound.
    """
    for wanted in _places(tx, endpoint):
        for found in rows.where(tx, AssociationRow, **wanted):
            return resources.find(tx, PolicyRow, found.policy_id)
    raise NotFound(f"No policy is associated with endpoint {endpoint.id}.")


def _places(tx: Tx, endpoint: EndpointRow) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = [{"endpoint_id": endpoint.id}]
    region_id = endpoint.region_id
    while region_id is not None:
        found.append({"service_id": endpoint.service_id, "region_id": region_id})
        region_id = resources.find(tx, RegionRow, region_id).parent_region_id
    return [*found, {"service_id": endpoint.service_id, "region_id": None}]


def endpoints_of(tx: Tx, policy: PolicyRow) -> list[EndpointRow]:
    """The endpoints for which this is the policy."""
    found = []
    for endpoint in rows.where(tx, EndpointRow):
        try:
            if policy_for(tx, endpoint).id == policy.id:
                found.append(endpoint)
        except NotFound:
            continue
    return found
