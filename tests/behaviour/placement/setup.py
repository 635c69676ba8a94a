"""Placement alone."""

from pileus.core.http import Service
from pileus.services.placement.api import api


def services() -> list[Service]:
    return [api]
