"""Version documents: what clients look at first."""

from typing import Any

from pileus.core.http import Request
from pileus.services.compute.service import api

UPDATED = "2013-07-23T11:33:21Z"
MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}


def document(request: Request) -> dict[str, Any]:
    assert api.versions is not None
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": str(api.versions.last),
        "min_version": str(api.versions.first),
        "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{request.base_url}{api.prefix}/"}],
    }


@api.get("/compute", root=True, public=True)
def list_versions(request: Request) -> dict[str, Any]:
    return {"versions": [document(request)]}


@api.get("/compute/v2.1", root=True, public=True)
def show_version(request: Request) -> dict[str, Any]:
    return {"version": document(request) | {"media-types": [MEDIA_TYPE]}}
