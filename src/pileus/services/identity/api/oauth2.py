"""OAuth 2.0: access tokens for clients."""

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.http import Request, Response
from pileus.services.identity.rules import oauth2 as rules
from pileus.services.identity.service import api

NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
SCHEMES = {"WWW-Authenticate": 'Basic realm="identity"'}


@api.post("/OS-OAUTH2/token", public=True)
def create_token(db: Database, settings: Settings, request: Request, body: bytes) -> Response:
    try:
        text = rules.token(db, settings, request, body)
    except rules.Refused as refused:
        problem = {"error": refused.error, "error_description": refused.description}
        return Response(problem, refused.status, NOT_KEPT | (SCHEMES if refused.status == 401 else {}))
    life = int(settings.token_hours * 3600)
    return Response({"access_token": text, "token_type": "Bearer", "expires_in": life}, headers=NOT_KEPT)
