"""Which versions there are: listed for discovery, not negotiated."""

from typing import Any

from pileus.core.http import Request, Response
from pileus.services.image.service import api

LATEST = 18
_MINORS = range(LATEST, -1, -1)


def _document(request: Request) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{request.url}/"}]
    return {
        "versions": [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == LATEST else "SUPPORTED", "links": links}
            for minor in _MINORS
        ]
    }


@api.get("/image", root=True, public=True, success=300)
def list_versions(request: Request) -> Response:
    """The versions, as multiple choices."""
    return Response(_document(request), headers={"Location": f"{request.base_url}/image/versions"})


@api.get("/image/versions", root=True, public=True)
def list_versions_plainly(request: Request) -> dict[str, Any]:
    """The versions."""
    return _document(request)
