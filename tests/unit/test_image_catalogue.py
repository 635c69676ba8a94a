"""The usual metadata definitions."""

from pathlib import Path

import jsonschema

from pileus.core.context import system_caller
from pileus.core.db import Database
from pileus.services.image import catalogue
from pileus.services.image.rules import metadefs
from pileus.services.image.store.metadefs import namespace
from pileus.services.image.tables import namespaces
from pileus.services.image.types.schemas import SCHEMAS


def test_all_are_added_once(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/db")
    db.create_tables()
    with db.write() as tx:
        first, *rest = catalogue.load(tx, system_caller())
        assert len(rest) > 15
        assert catalogue.load(tx, system_caller()) == []
        kept = namespace(tx, first)
        assert kept is not None
        tx.delete(namespaces, namespaces.c.id == kept.id)
        assert catalogue.load(tx, system_caller()) == [first]
        rows = [found for name in (first, *rest) if (found := namespace(tx, name))]
        views = metadefs.whole_views(tx, rows, ["resource_type", "property", "object", "tag"])
    db.close()
    for view in views:
        jsonschema.validate(view, SCHEMAS["metadefs/namespace"], jsonschema.Draft4Validator)
        assert view["protected"]
        assert view["resource_type_associations"]
        shapes = [*view["properties"].values(), *(s for each in view["objects"] for s in each["properties"].values())]
        assert shapes
        assert all(shape["description"] for shape in shapes), view["namespace"]
