"""What versions there are."""

from typing import Any

from pileus.core.http import Request, Response
from pileus.services.identity.service import api


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.url}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@api.get("/identity", root=True, public=True, success=300)
def list_versions(request: Request) -> Response:
    return Response({"versions": {"values": [_version(request)]}}, headers={"Location": f"{request.url}/"})


@api.get("", public=True)
def show_version(request: Request) -> dict[str, Any]:
    return {"version": _version(request)}
