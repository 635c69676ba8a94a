"""What an import makes of the bytes before they are an image's, in this order."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.services.image.files import Incoming
from pileus.services.image.types.images import Arrival

Tell = Callable[[str], None]
"""Says what is being done, for the import's task."""


class Plan(msgspec.Struct, frozen=True):
    """What the operator wants of one import."""

    properties: dict[str, str] = {}
    """Put on the image."""


def plan(settings: Settings, caller: Caller) -> Plan:
    """For an import by this caller."""
    return Plan()


def run(incoming: Incoming, plan: Plan, arrival: Arrival, tell: Tell) -> Arrival:
    """Raises BadRequest, TooLarge with the reason why it can't be. New files are in the upload's work directory."""
    return arrival
