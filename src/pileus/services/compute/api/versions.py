"""Version documents: what clients look at first."""

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.http import Request
from pileus.services.compute.service import api, legacy

MEDIA_TYPE = "application/vnd.openstack.compute+json;version="


def documents(request: Request) -> list[dict[str, Any]]:
    """v2.0 is the API before microversions, without an end of its own; v2.1 has them."""
    assert api.versions is not None
    return [
        _document(request, legacy.prefix, "v2.0", "DEPRECATED", "2011-01-21T11:33:21Z", "", ""),
        _document(
            request,
            api.prefix,
            "v2.1",
            "CURRENT",
            "2013-07-23T11:33:21Z",
            str(api.versions.last),
            str(api.versions.first),
        ),
    ]


def _document(
    request: Request, prefix: str, name: str, status: str, updated: str, last: str, first: str
) -> dict[str, Any]:
    return {
        "id": name,
        "status": status,
        "version": last,
        "min_version": first,
        "updated": updated,
        "links": [{"rel": "self", "href": f"{request.base_url}{prefix}/"}],
    }


@api.get("/compute", root=True, public=True)
def list_versions(request: Request) -> dict[str, Any]:
    return {"versions": documents(request)}


@api.get("/compute/v2", root=True, public=True)
def show_legacy_version(request: Request) -> dict[str, Any]:
    return _whole(documents(request)[0])


@api.get("/compute/v2.1", root=True, public=True)
def show_version(request: Request) -> dict[str, Any]:
    return _whole(documents(request)[1])


@api.get("/versions/{name}", public=True)
def show_version_of(request: Request, name: str) -> dict[str, Any]:
    for document in documents(request):
        if document["id"] == name:
            return _whole(document)
    raise NotFound(f"There is no version '{name[:64]}' of compute.")


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    media_type = {"base": "application/json", "type": MEDIA_TYPE + document["id"][1:].replace("2.0", "2")}
    return {"version": document | {"media-types": [media_type]}}
