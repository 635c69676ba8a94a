"""The network service: prefix, error shape, policy."""

from pathlib import Path

from pileus.core import policy
from pileus.core.errors import network_shape
from pileus.core.http import Service

api = Service(
    "network",
    "/network/v2.0",
    network_shape,
    policy.load("network", Path(__file__).parent / "policy.json"),
    lenient_bodies=True,
)
