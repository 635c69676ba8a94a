"""Image's API: prefix, error shape, policy."""

from pathlib import Path

from pileus.core import policy
from pileus.core.errors import image_shape
from pileus.core.http import Service

api = Service(
    "image", "/image/v2", image_shape, policy.load("image", Path(__file__).parent / "policy.json"), trailing_slash=False
)
