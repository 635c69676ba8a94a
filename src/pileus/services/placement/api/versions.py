"""The version document."""

from typing import Any

from pileus.services.placement.service import api


@api.get("/placement", root=True, public=True)
def list_versions() -> dict[str, Any]:
    assert api.versions is not None
    found = {
        "id": "v1.0",
        "min_version": str(api.versions.first),
        "max_version": str(api.versions.last),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return {"versions": [found]}
