"""Compute's API: prefix, error shape, versions, policy."""

from pathlib import Path

from pileus.core import policy
from pileus.core.errors import compute_shape
from pileus.core.http import Service, Versions
from pileus.core.version import Version

api = Service(
    "compute",
    "/compute/v2.1",
    compute_shape,
    policy.load("compute", Path(__file__).parent / "policy.json"),
    Versions(
        "compute",
        Version(2, 1),
        Version(2, 104),
        legacy_header="X-OpenStack-Nova-API-Version",
    ),
    vary="OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    request_id_header="x-compute-request-id",
    trailing_slash=False,
)

legacy = Service("compute", "/compute/v2", compute_shape, api.policy, request_id_header="x-compute-request-id")
"""The same routes for clients that know no microversions; see api/__init__."""
