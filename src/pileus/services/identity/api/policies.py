"""Policies that other services keep here, and what each is the policy of."""

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.http import Request
from pileus.services.identity.api.catalog import endpoint_of_path, endpoint_shown
from pileus.services.identity.rules import policies as rules
from pileus.services.identity.rules import resources
from pileus.services.identity.service import api
from pileus.services.identity.store import rows
from pileus.services.identity.types.base import Row, listed, shown
from pileus.services.identity.types.catalog import EndpointRow, RegionRow, ServiceRow
from pileus.services.identity.types.policies import AssociationRow, PolicyCreate, PolicyRow, PolicyUpdate


def policy_of_path(tx: Tx, policy_id: str) -> PolicyRow:
    return resources.find(tx, PolicyRow, policy_id)


def association_of_path(tx: Tx, request: Request) -> AssociationRow:
    """What the path names, all of which must be there."""
    one = request.parameters.get
    kinds: dict[str, type[Row]] = {"endpoint_id": EndpointRow, "service_id": ServiceRow, "region_id": RegionRow}
    policy = resources.find(tx, PolicyRow, request.parameters["policy_id"])
    for name, kind in kinds.items():
        if one(name) is not None:
            resources.find(tx, kind, request.parameters[name])
    return rules.association(policy, one("endpoint_id"), one("service_id"), one("region_id"))


@api.get("/policies", policy="identity:list_policies")
def list_policies(tx: Tx, request: Request) -> dict[str, Any]:
    found, more = rows.page(tx, PolicyRow, request.query)
    return listed(request, "policies", [shown(request, row) for row in found], more)


@api.post("/policies", policy="identity:create_policy", success=201)
def create_policy(tx: Tx, caller: Caller, request: Request, body: PolicyCreate) -> dict[str, Any]:
    row = PolicyRow(new_hex_id(), body.type, body.blob, body.extra)
    return {"policy": shown(request, resources.add(tx, caller, row))}


@api.get("/policies/{policy_id}", policy="identity:get_policy", load=policy_of_path)
def show_policy(tx: Tx, request: Request, policy: PolicyRow) -> dict[str, Any]:
    return {"policy": shown(request, policy)}


@api.patch("/policies/{policy_id}", policy="identity:update_policy", load=policy_of_path)
def update_policy(tx: Tx, caller: Caller, request: Request, policy: PolicyRow, body: PolicyUpdate) -> dict[str, Any]:
    changed = resources.change(tx, caller, policy, resources.wishes(body, policy))
    return {"policy": shown(request, changed)}


@api.delete("/policies/{policy_id}", policy="identity:delete_policy", load=policy_of_path)
def delete_policy(tx: Tx, caller: Caller, policy: PolicyRow) -> None:
    resources.remove(tx, caller, policy)


def check_association(tx: Tx, association: AssociationRow) -> None:
    rules.must_be_associated(tx, association)


def associate(tx: Tx, association: AssociationRow) -> None:
    rules.associate(tx, association)


def dissociate(tx: Tx, association: AssociationRow) -> None:
    rows.delete(tx, rules.must_be_associated(tx, association))


HERE = "/policies/{policy_id}/OS-ENDPOINT-POLICY"
for what, path in (
    ("endpoint", "/endpoints/{endpoint_id}"),
    ("service", "/services/{service_id}"),
    ("region_and_service", "/services/{service_id}/regions/{region_id}"),
):
    for method, verb, handler in (
        ("GET", "check", check_association),
        ("PUT", "create", associate),
        ("DELETE", "delete", dissociate),
    ):
        rule = f"identity:{verb}_policy_association_for_{what}"
        api.route(method, HERE + path, policy=rule, load=association_of_path, success=204)(handler)


@api.get(HERE + "/endpoints", policy="identity:list_endpoints_for_policy", load=policy_of_path)
def list_policy_endpoints(tx: Tx, request: Request, policy: PolicyRow) -> dict[str, Any]:
    found = rules.endpoints_of(tx, policy)
    return listed(request, "endpoints", [endpoint_shown(request, row) for row in found])


@api.get(
    "/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
    policy="identity:get_policy_for_endpoint",
    load=endpoint_of_path,
)
def show_endpoint_policy(tx: Tx, request: Request, endpoint: EndpointRow) -> dict[str, Any]:
    return {"policy": shown(request, rules.policy_for(tx, endpoint))}
