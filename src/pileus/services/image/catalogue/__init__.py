"""The metadata definitions that most clouds have: what the properties of images, flavors, aggregates and volumes mean.

One YAML file for each field; a namespace in it is the body of POST /metadefs/namespaces, with what most have in common left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.image.rules import metadefs
from pileus.services.image.store.metadefs import namespace
from pileus.services.image.types.metadefs import NamespaceBody

_COMMON = {"visibility": "public", "protected": True, "owner": "admin"}


def namespaces() -> list[NamespaceBody]:
    """By file, in their order."""
    found: list[dict[str, Any]] = []
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        found += yaml.safe_load(file.read_text())
    return [msgspec.convert(_COMMON | each, NamespaceBody) for each in found]


def load(tx: Tx, caller: Caller) -> list[str]:
    """Add those that are not there, and tell which; what is there stays as somebody may have made it."""
    missing = [wish for wish in namespaces() if namespace(tx, wish.namespace) is None]
    for wish in missing:
        metadefs.create_namespace(tx, caller, wish)
    return [wish.namespace for wish in missing]
