"""What is the same in every process: W41, the catalog; W44, the rules of who may do what."""

from typing import Any

import pytest

from tests.processes.processes import Processes
from tests.support.command import until

pytestmark = pytest.mark.slow
V3 = "/identity/v3"


def catalogs(cloud: Processes, token: str) -> list[Any]:
    """As each process has it."""
    found = [cloud.call("GET", url, f"{V3}/auth/catalog", token).json() for url in (cloud.first, cloud.second)]
    return [sorted((each["type"], each["name"], str(each["endpoints"])) for each in one["catalog"]) for one in found]


def test_w41_one_catalog_the_same_from_every_process(cloud: Processes) -> None:
    """Services appeared and disappeared: two processes had two catalogs."""
    with cloud.more("api", "--port", cloud.second.rsplit(":")[-1]):
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        token = cloud.token(cloud.first)
        first, second = catalogs(cloud, token)
        assert first == second
        assert {kind for kind, *_ in first} >= {"identity", "compute", "image", "network", "placement"}
        wish: dict[str, Any] = {"service": {"type": "object-store", "name": "swift"}}
        service = cloud.call("POST", cloud.second, f"{V3}/services", token, json=wish).json()["service"]["id"]
        wish = {
            "endpoint": {"service_id": service, "interface": "public", "url": "http://store", "region_id": "RegionOne"}
        }
        endpoint = cloud.call("POST", cloud.first, f"{V3}/endpoints", token, json=wish).json()["endpoint"]["id"]
        for url, change, is_there in (
            (cloud.first, None, True),
            (cloud.second, {"endpoint": {"enabled": False}}, False),
            (cloud.first, {"endpoint": {"enabled": True, "url": "http://moved"}}, True),
        ):
            if change is not None:
                assert cloud.call("PATCH", url, f"{V3}/endpoints/{endpoint}", token, json=change).status_code == 200
            first, second = catalogs(cloud, token)
            assert first == second
            assert ("object-store" in {kind for kind, *_, shown in first if shown != "[]"}) is is_there
        assert "http://moved" in str(first)
        cloud.pileus.ok("down")
        cloud.up()
        assert catalogs(cloud, cloud.token(cloud.second)) == [first, first], "a restart changes nothing"


def test_w44_users_may_create_flavors_by_an_edit_of_the_policy_file(cloud: Processes) -> None:
    rules = cloud.pileus.state_dir / "policy.d" / "compute.yaml"
    rules.parent.mkdir(exist_ok=True)
    with cloud.more("api", "--port", cloud.second.rsplit(":")[-1]):
        until(lambda: cloud.answers(cloud.second), what="the second API answers")
        token = member(cloud)
        number = 0

        def may(url: str) -> bool:
            nonlocal number
            number += 1
            wish = {"flavor": {"name": f"mine{number}", "ram": 64, "vcpus": 1, "disk": 1}}
            answer = cloud.call("POST", url, "/compute/v2.1/flavors", token, json=wish)
            assert answer.status_code in (200, 403), answer.text
            return answer.status_code == 200

        def everywhere(allowed: bool) -> None:
            for url in (cloud.first, cloud.second):
                until(lambda url=url: may(url) is allowed, what=f"{url} lets members make flavors: {allowed}")

        everywhere(False)
        rules.write_text('"os_compute_api:os-flavor-manage:create": "role:member"\n')
        everywhere(True)
        for broken in (
            "no yaml: [",
            "- a list",
            '"os_compute_api:os-flavor-manage:creat": "role:member"',
            '"x": "role:"',
        ):
            rules.write_text(broken)
            until(lambda: may(cloud.first) and says(cloud), what="the log says that the file is refused")
            said = cloud.pileus("doctor").stdout
            assert "compute.yaml" in said
            everywhere(True)
            (cloud.pileus.state_dir / "log" / "pileus.log").write_text("")
        rules.unlink()
        everywhere(False)


def says(cloud: Processes) -> bool:
    logs = cloud.pileus.state_dir / "log"
    return any("refused" in file.read_text() and "compute.yaml" in file.read_text() for file in logs.glob("pileus*"))


def member(cloud: Processes) -> str:
    """A token of a user who is a member of the first project."""
    admin = cloud.token(cloud.first)

    def call(method: str, path: str, **more: Any) -> Any:
        answer = cloud.call(method, cloud.first, V3 + path, admin, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    user = call("POST", "/users", json={"user": {"name": "ann", "password": "secret"}})["user"]["id"]
    role = call("GET", "/roles?name=member")["roles"][0]["id"]
    project = call("GET", "/projects?name=admin")["projects"][0]["id"]
    call("PUT", f"/projects/{project}/users/{user}/roles/{role}")
    who = {"id": user, "password": "secret"}
    auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": {"project": {"id": project}}}
    answer = cloud.call("POST", cloud.first, f"{V3}/auth/tokens", "", json={"auth": auth})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["x-subject-token"])
