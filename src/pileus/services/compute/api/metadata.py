"""Metadata and tags of servers."""

from __future__ import annotations

from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request, Response
from pileus.services.compute.rules import metadata as rules
from pileus.services.compute.rules import servers
from pileus.services.compute.service import api
from pileus.services.compute.store.servers import ServerRow
from pileus.services.compute.types.metadata import MetaBody, MetadataBody, Tags, TagsBody

METADATA = "/servers/{server_id}/metadata"
TAGS = "/servers/{server_id}/tags"


@api.get(METADATA, policy="os_compute_api:server-metadata:index", load=servers.visible_server)
def list_metadata(server: ServerRow) -> dict[str, Any]:
    return {"metadata": server.metadata}


@api.post(METADATA, policy="os_compute_api:server-metadata:create", load=servers.changeable_server)
def add_metadata(tx: Tx, caller: Caller, server: ServerRow, body: MetadataBody) -> dict[str, Any]:
    rules.set_metadata(tx, caller, server, server.metadata | body.metadata)
    return {"metadata": server.metadata}


@api.put(METADATA, policy="os_compute_api:server-metadata:update_all", load=servers.changeable_server)
def replace_metadata(tx: Tx, caller: Caller, server: ServerRow, body: MetadataBody) -> dict[str, Any]:
    rules.set_metadata(tx, caller, server, body.metadata)
    return {"metadata": server.metadata}


@api.get(METADATA + "/{key}", policy="os_compute_api:server-metadata:show", load=servers.visible_server)
def show_metadata_item(server: ServerRow, key: str) -> dict[str, Any]:
    return {"meta": {key: rules.item(server, key)}}


@api.put(METADATA + "/{key}", policy="os_compute_api:server-metadata:update", load=servers.changeable_server)
def set_metadata_item(tx: Tx, caller: Caller, server: ServerRow, key: str, body: MetaBody) -> dict[str, Any]:
    rules.set_item(tx, caller, server, key, body.meta)
    return {"meta": body.meta}


@api.delete(METADATA + "/{key}", policy="os_compute_api:server-metadata:delete", load=servers.changeable_server)
def delete_metadata_item(tx: Tx, caller: Caller, server: ServerRow, key: str) -> None:
    rules.remove_item(tx, caller, server, key)


@api.get(TAGS, since="2.26", policy="os_compute_api:os-server-tags:index", load=servers.visible_server)
def list_tags(server: ServerRow) -> Tags:
    return Tags(tags=server.tags)


@api.put(TAGS, since="2.26", policy="os_compute_api:os-server-tags:update_all", load=servers.changeable_server)
def replace_tags(tx: Tx, caller: Caller, server: ServerRow, body: TagsBody) -> Tags:
    return Tags(tags=rules.set_tags(tx, caller, server, body.tags))


@api.delete(TAGS, since="2.26", policy="os_compute_api:os-server-tags:delete_all", load=servers.changeable_server)
def delete_tags(tx: Tx, caller: Caller, server: ServerRow) -> None:
    rules.set_tags(tx, caller, server, [])


@api.get(
    TAGS + "/{tag}", since="2.26", policy="os_compute_api:os-server-tags:show", load=servers.visible_server, success=204
)
def show_tag(server: ServerRow, tag: str) -> None:
    rules.require_tag(server, tag)


@api.put(TAGS + "/{tag}", since="2.26", policy="os_compute_api:os-server-tags:update", load=servers.changeable_server)
def add_tag(tx: Tx, caller: Caller, request: Request, server: ServerRow, tag: str) -> Response:
    if not rules.add_tag(tx, caller, server, tag):
        return Response(None, status=204)
    return Response(None, status=201, headers={"Location": f"{request.base_url}{request.path}"})


@api.delete(
    TAGS + "/{tag}", since="2.26", policy="os_compute_api:os-server-tags:delete", load=servers.changeable_server
)
def delete_tag(tx: Tx, caller: Caller, server: ServerRow, tag: str) -> None:
    rules.remove_tag(tx, caller, server, tag)
