"""The identity service: its prefix, error shape and policy."""

from pathlib import Path

from pileus.core import errors, policy
from pileus.core.http import Service

api = Service(
    "identity",
    "/identity/v3",
    errors.identity_shape,
    policy.load("identity", Path(__file__).parent / "policy.json"),
    answers_head=True,
    vary="X-Auth-Token",
    forbidden_before_missing=True,
)
