"""The image service alone."""

from pileus.core.http import Service
from pileus.services.image.api import api


def services() -> list[Service]:
    return [api]
