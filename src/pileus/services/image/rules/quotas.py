"""What a project may have of images, by identity's unified limits; what it has is counted from rows.

Sizes are in MiB there. Where no limit is registered there is none, nor where it is -1.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import TooLarge
from pileus.services.identity.rules import limits
from pileus.services.image.store import quotas as store

MIB = 1 << 20
UNITS = {"image_count_total": 1, "image_count_uploading": 1, "image_size_total": MIB, "image_stage_total": MIB}
"""Resource -> what its limit is counted in."""


class Usage(msgspec.Struct):
    limit: int
    in_use: int


def usage(tx: Tx, project_id: str | None) -> dict[str, Usage]:
    """In the limits' own units; what is begun of one counts whole."""
    most, used = limits.limits_of(tx, "image", project_id), store.in_use(tx, project_id)
    return {name: Usage(most.get(name, -1), -(-used[name] // unit)) for name, unit in UNITS.items()}


def check(tx: Tx, project_id: str | None, wanted: Mapping[str, int]) -> None:
    """Whether a project may have so many (so many bytes) more. Raises TooLarge with the numbers.

    Bytes that nobody announced are 0 here: data may pass the limit once, nothing after it is taken.
    """
    most = {name: limit for name, limit in limits.limits_of(tx, "image", project_id).items() if limit >= 0}
    if not most.keys() & wanted.keys():
        return
    store.hold(tx, project_id)
    used = store.in_use(tx, project_id)
    for name, more in wanted.items():
        if name in most and used[name] + more > most[name] * UNITS[name]:
            raise TooLarge(_over(name, used[name], more, most[name]))


def check_upload(tx: Tx, project_id: str | None, resource: str, size: int) -> None:
    """Whether the data of one image more may come, `size` bytes that count to `resource`. Raises TooLarge."""
    check(tx, project_id, {"image_count_uploading": 1, resource: size})


def _over(name: str, used: int, more: int, limit: int) -> str:
    unit = " MiB" if UNITS[name] == MIB else ""
    bytes_ = " bytes" if unit else ""
    return (
        f"Quota exceeded for {name}: {more}{bytes_} more than the {used}{bytes_} in use are over the limit of {limit}{unit}. "
        "Remove what is not needed, or have an administrator raise the limit."
    )
