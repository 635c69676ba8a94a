"""W63: to find out which component was broken, one tailed logs across hosts. One request id finds all of it."""

import httpx
import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until

pytestmark = pytest.mark.slow


def lines(simulated: Simulated, answer: httpx.Response) -> str:
    return simulated.pileus("trace", answer.headers["X-Openstack-Request-Id"]).stdout


def test_w63_one_request_id_finds_what_it_did_everywhere(simulated: Simulated) -> None:
    user = simulated.user
    wish = {"name": "s", "imageRef": simulated.image, "flavorRef": simulated.flavor}
    created = user.call("POST", "/compute/servers", {"server": {**wish, "networks": [{"uuid": simulated.network}]}})
    server = created.json()["server"]["id"]
    host = user.wait(server, "ACTIVE")["OS-EXT-SRV-ATTR:host"]
    found = lines(simulated, created)
    assert f"event compute create server {server} success" in found
    assert "method=POST path=/compute/v2.1/servers" in found
    assert any(line.split()[1] == host and "step=start" in line for line in found.splitlines()), found
    times = [line.split()[0] for line in found.splitlines()]
    assert times == sorted(times)

    simulated.knobs(fail_at={"shut_down": "The disk has gone."})
    stopped = user.act(server, "os-stop")
    until(lambda: "The disk has gone." in lines(simulated, stopped), what="the fault is in the trace")
    simulated.knobs()

    deleted = user.call("DELETE", f"/compute/servers/{server}")
    until(lambda: "step=remove" in lines(simulated, deleted), what="the removal is in the trace")
    assert "step=" not in lines(simulated, user.call("DELETE", f"/compute/servers/{server}")), "that one did nothing"


def test_w63_a_host_that_is_silent_is_named(simulated: Simulated) -> None:
    server = simulated.server()
    stopped = simulated.user.act(server, "os-lock")
    simulated.pileus.ok("down")
    done = simulated.pileus("trace", stopped.headers["X-Openstack-Request-Id"])
    assert "path=/compute/v2.1/servers" in done.stdout
    assert "nothing could be learnt from 2 hosts" in done.stderr
    assert done.returncode == 1
    simulated.up()


def test_w63_what_is_no_request_is_refused(simulated: Simulated) -> None:
    assert "is not a request id" in simulated.pileus.refused("trace", "yesterday")
    done = simulated.pileus("trace", "req-00000000-0000-0000-0000-000000000000")
    assert done.returncode == 1
    assert "nothing is known" in done.stderr
