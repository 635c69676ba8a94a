"""Identity with its first rows. A token is a persona's name, or a real token where tokens are the subject."""

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx
from pileus.core.http import Service
from pileus.services.identity import tokens
from pileus.services.identity.api import api
from pileus.services.identity.bootstrap import bootstrap
from tests.support import personas

PASSWORD = "correct horse"
ENVIRON = {"PASSWORD": PASSWORD}
CATALOG = [
    ("keystone", "identity", "http://cloud/identity"),
    ("nova", "compute", "http://cloud/compute/v2.1"),
    ("cinder", "block-storage", "http://cloud/volume/v3/$(project_id)s"),
]


def services() -> list[Service]:
    return [api]


def prepare(db: Database) -> None:
    with db.write() as tx:
        bootstrap(tx, Settings(), PASSWORD, CATALOG)


def authenticate(tx: Tx, token: str, service_token: str | None) -> Caller:
    try:
        return personas.persona(token)
    except (ValueError, KeyError):
        return tokens.authenticate(tx, token, service_token)
