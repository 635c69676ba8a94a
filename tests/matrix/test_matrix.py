"""Who may do what, from the routes themselves: every route by every persona, against the facts in `expected.json`.

The target is the caller's own: own user, own project, own domain. Differences stand in `exceptions.yaml`, with their reasons.
"""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from pileus.cloud import services
from pileus.core.context import Caller
from pileus.core.http import Route, Service
from tests.support import personas

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, dict[str, list[str]]]] = json.loads((HERE / "expected.json").read_text())
EXCEPTIONS: dict[str, Any] = yaml.safe_load((HERE / "exceptions.yaml").read_text())


class Own(dict[str, Any]):
    """A target that belongs to the caller in every way that a rule can ask for."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    def __missing__(self, key: str) -> Any:
        caller = self._caller
        if key == "target.role.name":
            return "any"
        if key == "target.role.domain_id":
            return caller.domain_id
        if key.endswith(("user_id", "user.id", "owner_id")):
            return caller.user_id
        if key.endswith(("domain_id", "domain.id")):
            return caller.domain_id or caller.user_domain_id
        if key.endswith(("project_id", "project.id", "tenant_id", "owner")):
            return caller.project_id
        raise KeyError(key)


def rules(route: Route) -> list[str]:
    return [rule for rule in (route.policy, *route.policies.values()) if rule is not None]


def cases(found: Sequence[Service]) -> list[tuple[Service, str]]:
    """Each rule that a route names, once a service."""
    return [
        (service, rule)
        for service in found
        for rule in sorted({rule for route in service.routes for rule in rules(route)})
    ]


def allowed_by_facts(service: str, rule: str, persona: str) -> bool:
    differs = EXCEPTIONS["differs"].get(rule, {})
    if persona in differs:
        return bool(differs[persona])
    scope, role = persona.split("-")
    return role in EXPECTED[service][rule].get(scope, [])


@pytest.mark.parametrize(("service", "rule"), cases(services()), ids=lambda value: getattr(value, "prefix", value))
def test_w40_each_persona(service: Service, rule: str) -> None:
    assert service.policy is not None
    wrong = {}
    for name in personas.PERSONAS:
        caller = personas.persona(name)
        allowed = service.policy.allows(rule, caller, Own(caller))
        if allowed != allowed_by_facts(service.name, rule, name):
            wrong[name] = allowed
    assert not wrong, f"{rule}: what is allowed differs from the facts: {wrong}"


@pytest.mark.parametrize("name", sorted({service.name for service in services()}))
def test_every_route_names_its_rule(name: str) -> None:
    known = EXCEPTIONS["no_rule"].get(name, {})
    routes = [route for service in services() if service.name == name for route in service.routes]
    bare = {f"{route.method} {route.path}" for route in routes if not rules(route)}
    unknown = {route for route in bare if not any(fnmatchcase(route, pattern) for pattern in known)}
    assert not unknown, "routes without a policy rule need a reason in exceptions.yaml"
    unused = {pattern for pattern in known if not any(fnmatchcase(route, pattern) for route in bare)}
    assert not unused, "exceptions.yaml knows routes that are not there or have a rule"


def test_each_exception_is_needed_and_has_a_reason() -> None:
    every = {rule for of_service in EXPECTED.values() for rule in of_service}
    for rule, differs in EXCEPTIONS["differs"].items():
        assert rule in every, f"{rule} is not a rule"
        assert differs.get("why"), f"{rule} has no reason"
    for routes in EXCEPTIONS["no_rule"].values():
        assert all(routes.values()), "a route without a rule has no reason"
