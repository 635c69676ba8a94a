"""Tokens for who signed a request to EC2 or S3, for the service that got the request."""

from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.core.http import Response
from pileus.services.identity.rules import ec2 as rules
from pileus.services.identity.rules import tokens
from pileus.services.identity.service import api
from pileus.services.identity.types.credentials import Ec2Signed, S3Signed


@api.post("/ec2tokens", policy="identity:ec2tokens_validate")
def create_ec2_token(tx: Tx, settings: Settings, body: Ec2Signed) -> Response:
    text, session = rules.for_ec2(tx, settings, body.request)
    return Response(tokens.document(tx, session, with_catalog=True), headers={"X-Subject-Token": text})


@api.post("/s3tokens", policy="identity:s3tokens_validate")
def create_s3_token(tx: Tx, settings: Settings, body: S3Signed) -> Response:
    """Who may use it is told; the token itself is not."""
    return Response(tokens.document(tx, rules.for_s3(tx, settings, body.credentials), with_catalog=True))
