"""Compute for behaviour tests."""

from pileus.core.http import Service
from pileus.services.compute.api import api


def services() -> list[Service]:
    return [api]
