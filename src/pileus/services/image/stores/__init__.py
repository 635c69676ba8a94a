"""The stores of a cloud, by name: `file` in the state directory, and what the options add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pileus.core.config import AnyImageStore, FileStore, HttpStore, S3Store, Settings, SwiftStore
from pileus.core.errors import BadRequest
from pileus.services.image import fetch
from pileus.services.image.stores.base import Store, StoreFailed
from pileus.services.image.stores.file import Files
from pileus.services.image.stores.http import Http
from pileus.services.image.stores.s3 import S3
from pileus.services.image.stores.swift import Swift
from pileus.services.image.types.images import ImageRow
from pileus.services.image.types.locations import ACTIVE, location_view

BUILT_IN = "file"
"""The name of the store in the state directory: where uploads arrive, and where hosts of this machine look first."""


class Stores(Mapping[str, Store]):
    """In the order in which they are read: by weight, then by name."""

    def __init__(self, settings: Settings) -> None:
        own = FileStore(directory=settings.state_dir / "images", description="Files on the controller's disk")
        tables = {BUILT_IN: own, **settings.image_stores}
        found = [_made(name, table, settings.import_networks) for name, table in tables.items()]
        found.sort(key=lambda store: (-store.settings.weight, store.name))
        self._by_name = {store.name: store for store in found}
        named = [store.name for store in found if store.settings.default]
        self.default = named[0] if named else BUILT_IN
        self.web = next((store.name for store in found if store.kind == "http"), None)
        """The store that URLs belong to, where there is one."""

    def __getitem__(self, name: str) -> Store:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def writable(self) -> list[str]:
        return [name for name, store in self.items() if store.is_writable]

    def wanted(self, names: Iterable[str]) -> list[str]:
        """The names, each once, in the order of reading. Raises BadRequest for one that can't be written to."""
        asked = set(names)
        for name in sorted(asked):
            if name not in self._by_name:
                raise BadRequest(f"There is no store '{name[:64]}'; possible are {', '.join(self.writable)}.")
            if not self[name].is_writable:
                raise BadRequest(f"Store '{name}' is read-only; possible are {', '.join(self.writable)}.")
        return self.in_order(asked)

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Each name once, in the order of reading; stores that were configured once and are not any more come last."""
        return sorted(set(names), key=self.place_of)

    def place_of(self, name: str) -> tuple[int, str]:
        """Sorts stores into the order of reading."""
        return (-self[name].settings.weight if name in self._by_name else 1, name)

    def locations(self, image: ImageRow) -> list[dict[str, Any]]:
        """As the API shows them."""
        known = [each for each in image.locations if each.status == ACTIVE and each.store in self]
        return [location_view(each, self[each.store].url(each.address)) for each in known]

    def is_here(self, image: ImageRow) -> bool:
        """Whether a store of this machine has its data."""
        known = (each for each in image.locations if each.status == ACTIVE and each.store in self)
        return any(self[each.store].kind == "file" for each in known)

    @property
    def built_in(self) -> Files:
        found = self[BUILT_IN]
        assert isinstance(found, Files)
        return found


def of(settings: Settings) -> Stores:
    return Stores(settings)


@cache
def _made(name: str, settings: AnyImageStore, import_networks: str) -> Store:
    """Clients of remote stores are made once, and only where there is such a store: their libraries take memory."""
    if isinstance(settings, FileStore):
        return Files(name, settings)
    if isinstance(settings, HttpStore):
        return Http(name, settings, fetch.networks(import_networks))
    if isinstance(settings, S3Store):
        return S3(name, settings)
    if isinstance(settings, SwiftStore):
        return Swift(name, settings)
    raise AssertionError(f"a store of type {type(settings).__name__} was let through at start")


__all__ = ["BUILT_IN", "Store", "StoreFailed", "Stores", "of"]
