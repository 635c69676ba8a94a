"""JSON schemas of what this API shows."""

from typing import Any

from pileus.services.image.service import api
from pileus.services.image.types.schemas import SCHEMAS


def _declare(name: str, schema: dict[str, Any]) -> None:
    @api.get(f"/schemas/{name}")
    def show_schema() -> dict[str, Any]:
        """A JSON schema."""
        return schema


for _name, _schema in SCHEMAS.items():
    _declare(_name, _schema)
