"""What versions there are, what is where in this one, and what is gone."""

from typing import Any, NoReturn

from pileus.core.errors import Gone, NotFound
from pileus.core.http import Request, Response
from pileus.services.identity.api.home import asked, home
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
    if asked(request):
        return home(below="/v3")
    return Response({"versions": {"values": [_version(request)]}}, headers={"Location": f"{request.url}/"})


@api.get("", public=True)
def show_version(request: Request) -> Response:
    return home() if asked(request) else Response({"version": _version(request)})


@api.get("/identity/v2.0", root=True, public=True)
@api.post("/identity/v2.0", root=True, public=True)
@api.get("/identity/v2.0/{rest:path}", root=True, public=True)
@api.post("/identity/v2.0/{rest:path}", root=True, public=True)
def no_second_version(request: Request) -> NoReturn:
    raise NotFound(f"Version 2.0 of the Identity API is gone: use version 3, at {request.url}.")


@api.get("/OS-SIMPLE-CERT/ca", public=True)
@api.get("/OS-SIMPLE-CERT/certificates", public=True)
@api.get("/auth/tokens/OS-PKI/revoked", public=True)
def no_certificates() -> NoReturn:
    raise Gone("Tokens are not signed with certificates any more: there are none, and no list of revoked tokens.")
