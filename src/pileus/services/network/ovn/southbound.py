"""The hosts that OVN knows, from the southbound database."""

from __future__ import annotations

from collections.abc import Collection

from pileus.services.network.ovn.ovsdb import Database
from pileus.services.network.ovn.topology import Chassis

_COLUMNS = ("name", "hostname", "other_config")


class Southbound:
    def __init__(self, connection: str) -> None:
        self._db = Database(connection, "OVN_Southbound", {"Chassis": _COLUMNS, "Chassis_Private": ("name",)})

    def chassis(self) -> list[Chassis]:
        """Sorted by name. Raises OSError."""
        self._db.refresh()
        found = []
        for row in self._db.rows("Chassis").values():
            mappings = row.other_config.get("ovn-bridge-mappings", "")
            physical = frozenset(pair.partition(":")[0].strip() for pair in mappings.split(",") if ":" in pair)
            found.append(Chassis(row.name, row.hostname, physical))
        return sorted(found, key=lambda chassis: chassis.name)

    def forget(self, names: Collection[str]) -> None:
        """Remove these chassis, of hosts that are gone: an ovn-controller that ends in a crash leaves its own. Raises OSError."""
        gone = [
            row
            for table in ("Chassis", "Chassis_Private")
            for row in self._db.rows(table).values()
            if row.name in names
        ]

        def delete(_: object) -> None:
            for row in gone:
                row.delete()

        self._db.commit(delete)

    def close(self) -> None:
        self._db.close()
