"""Traits and resource classes."""

from __future__ import annotations

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request, Response
from pileus.services.placement import store, types
from pileus.services.placement.rules import names as rules
from pileus.services.placement.service import api


@api.get("/traits", since="1.6", policy="placement:traits:list")
def list_traits(tx: Tx, query: types.TraitsQuery) -> types.Reply:
    found = rules.all_traits(tx)
    if query.name is not None:
        how, _, what = query.name.partition(":")
        if how == "in" and what:
            found &= set(what.split(","))
        elif how == "startswith":
            found = {name for name in found if name.startswith(what)}
        else:
            raise BadRequest(f"name must be in:TRAIT,TRAIT or startswith:PREFIX, got '{query.name[:64]}'.")
    if query.associated is not None:
        if query.associated.lower() not in ("true", "false"):
            raise BadRequest(f"associated must be true or false, got '{query.associated[:64]}'.")
        used = store.names.traits_in_use(tx)
        found = found & used if query.associated.lower() == "true" else found - used
    return {"traits": sorted(found)}


@api.get("/traits/{name}", since="1.6", policy="placement:traits:show", success=204)
def show_trait(tx: Tx, name: str) -> None:
    rules.existing_trait(tx, name)


@api.put("/traits/{name}", since="1.6", policy="placement:traits:update")
def create_trait(tx: Tx, request: Request, name: str) -> Response:
    is_new = rules.ensure_trait(tx, name)
    return Response(None, 201 if is_new else 204, {"Location": f"{request.url}/traits/{name}"})


@api.delete("/traits/{name}", since="1.6", policy="placement:traits:delete")
def delete_trait(tx: Tx, name: str) -> None:
    rules.delete_trait(tx, name)


def resource_class(name: str) -> types.Reply:
    return {"name": name, "links": [{"rel": "self", "href": f"{api.prefix}/resource_classes/{name}"}]}


@api.get("/resource_classes", since="1.2", policy="placement:resource_classes:list")
def list_classes(tx: Tx) -> types.Reply:
    return {"resource_classes": [resource_class(name) for name in rules.all_classes(tx)]}


@api.post("/resource_classes", since="1.2", policy="placement:resource_classes:create")
def create_class(tx: Tx, request: Request, body: types.NewClass) -> Response:
    rules.create_class(tx, body.name)
    return Response(None, 201, {"Location": f"{request.url}/resource_classes/{body.name}"})


@api.get("/resource_classes/{name}", since="1.2", policy="placement:resource_classes:show")
def show_class(tx: Tx, name: str) -> types.Reply:
    return resource_class(rules.existing_class(tx, name))


@api.put("/resource_classes/{name}", since="1.2", until="1.6", policy="placement:resource_classes:update")
def rename_class(tx: Tx, name: str, body: types.NewClass) -> types.Reply:
    rules.rename_class(tx, name, body.name)
    return resource_class(body.name)


@api.put("/resource_classes/{name}", since="1.7", policy="placement:resource_classes:update")
def ensure_class(tx: Tx, request: Request, name: str) -> Response:
    is_new = rules.ensure_class(tx, name)
    return Response(None, 201 if is_new else 204, {"Location": f"{request.url}/resource_classes/{name}"})


@api.delete("/resource_classes/{name}", since="1.2", policy="placement:resource_classes:delete")
def delete_class(tx: Tx, name: str) -> None:
    rules.delete_class(tx, name)
