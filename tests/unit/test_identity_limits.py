"""Limits of two levels: whatever is asked for, no project has more than its domain."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.identity import Identity

amounts = st.sampled_from([-1, 0, 1, 5, 10])
DOMAINS = 2
steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "delete", "default"]), st.integers(0, DOMAINS - 1), st.integers(-1, 1), amounts
    ),
    max_size=12,
)
"""What to do, in which domain, to which of its projects (-1: to itself), how much."""


def is_within(limits: dict[tuple[int, int], int], default: int) -> bool:
    """The model, once more: in few words."""

    def size(amount: int) -> float:
        return float("inf") if amount == -1 else amount

    return all(
        size(amount) <= size(limits.get((domain, -1), default))
        for (domain, project), amount in limits.items()
        if project != -1
    )


class Tree:
    """Two domains of two projects each, and one resource."""

    def __init__(self) -> None:
        self.identity = Identity(limit_model="strict_two_level")
        call = self.identity.make
        self.service_id = call("/services", {"service": {"type": "zoo"}})["id"]
        self.places: dict[tuple[int, int], dict[str, str]] = {}
        for domain in range(DOMAINS):
            domain_id = call("/domains", {"domain": {"name": f"d{domain}"}})["id"]
            self.places[domain, -1] = {"domain_id": domain_id}
            for project in range(2):
                wish = {"name": f"p{project}", "domain_id": domain_id}
                self.places[domain, project] = {"project_id": call("/projects", {"project": wish})["id"]}
        self.number = 0

    def new_resource(self) -> None:
        self.number += 1
        self.resource = {"service_id": self.service_id, "resource_name": f"cats{self.number}"}
        body = {"registered_limits": [self.resource | {"default_limit": 5}]}
        self.registered = self.identity.call("POST", "/registered_limits", body).json["registered_limits"][0]["id"]
        self.ids: dict[tuple[int, int], str] = {}

    def do(self, what: str, place: tuple[int, int], amount: int) -> int:
        """The status of the answer."""
        call = self.identity.call
        if what == "default":
            body = {"registered_limit": {"default_limit": amount}}
            return int(call("PATCH", f"/registered_limits/{self.registered}", body).status_code)
        if what == "delete":
            return int(call("DELETE", f"/limits/{self.ids[place]}").status_code)
        if place in self.ids:
            return int(call("PATCH", f"/limits/{self.ids[place]}", {"limit": {"resource_limit": amount}}).status_code)
        wish = self.places[place] | self.resource | {"resource_limit": amount}
        made = call("POST", "/limits", {"limits": [wish]})
        if made.status_code == 201:
            self.ids[place] = made.json["limits"][0]["id"]
        return int(made.status_code)


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    made = Tree()
    yield made
    made.identity.app.db.close()


@given(given_steps=steps)
@settings(max_examples=40, deadline=None)
def test_no_project_has_more_than_its_domain(tree: Tree, given_steps: list[tuple[str, int, int, int]]) -> None:
    tree.new_resource()
    limits: dict[tuple[int, int], int] = {}
    default = 5
    for what, domain, project, amount in given_steps:
        place = (domain, project)
        if what == "delete" and place not in limits:
            continue
        wanted, wanted_default = dict(limits), default
        if what == "default":
            wanted_default = amount
        elif what == "delete":
            del wanted[place]
        else:
            wanted[place] = amount
        status = tree.do(what, place, amount)
        assert (status < 300) == is_within(wanted, wanted_default), (what, place, amount, limits, default)
        if status < 300:
            limits, default = wanted, wanted_default
            if what == "delete":
                del tree.ids[place]
        else:
            assert status == 403


def test_no_projects_below_projects() -> None:
    identity = Identity(limit_model="strict_two_level")
    assert identity.call("GET", "/limits/model").json["model"]["name"] == "strict_two_level"
    below = {"project": {"name": "below", "parent_id": identity.project_id}}
    refused = identity.call("POST", "/projects", below)
    assert refused.status_code == 403
    assert "1 deep" in refused.json["error"]["message"]
    identity.app.db.close()


def test_one_request_may_raise_both(tree: Tree) -> None:
    tree.new_resource()
    wishes = [tree.places[0, place] | tree.resource | {"resource_limit": 50} for place in (0, -1)]
    assert tree.identity.call("POST", "/limits", {"limits": wishes[:1]}).status_code == 403
    assert tree.identity.call("POST", "/limits", {"limits": wishes}).status_code == 201
