"""Placement's API: prefix, error shape, versions, policy."""

from pathlib import Path

from pileus.core import policy
from pileus.core.errors import placement_shape
from pileus.core.http import Service, Versions
from pileus.core.version import Version

api = Service(
    "placement",
    "/placement",
    placement_shape,
    policy.load("placement", Path(__file__).parent / "policy.json"),
    Versions("placement", Version(1, 0), Version(1, 39)),
    vary="openstack-api-version",
)
