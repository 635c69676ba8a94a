"""W13: a floating IP stayed bound to a deleted instance, and no tool could free it."""

import random
import threading
import time

import httpx
import psutil
import pytest

from tests.stories.conftest import Simulated
from tests.support.command import until
from tests.support.user import User

pytestmark = pytest.mark.slow
ROUNDS = 8


def test_w13_killed_at_any_moment_of_a_deletion_the_address_is_free(simulated: Simulated) -> None:
    """The serving process is killed 0 to 40 ms after the request was sent; then the deletion is asked for again."""
    user, dice = simulated.user, random.Random(13)
    floating = user.made("/network/floatingips", "floatingip", floating_network_id=user.public())["id"]
    for round_ in range(ROUNDS):
        server = simulated.server()
        user.wait(server, "ACTIVE")
        port = user.get(f"/network/ports?device_id={server}")["ports"][0]["id"]
        led = user.call("PUT", f"/network/floatingips/{floating}", {"floatingip": {"port_id": port}})
        assert led.status_code == 200, led.text
        asking = threading.Thread(target=_delete, args=(user, server))
        api = psutil.Process(simulated.api())
        asking.start()
        time.sleep(dice.uniform(0, 0.005 * round_))
        api.kill()
        api.wait(10)
        asking.join()
        simulated.up()
        user = simulated.user = User(simulated.pileus.state_dir)
        _whole(user, server, floating, port)
        _delete(user, server)
        until(lambda user=user, server=server: user.gone(server))  # type: ignore[misc]
        shown = user.get(f"/network/floatingips/{floating}")["floatingip"]
        assert (shown["port_id"], shown["fixed_ip_address"], shown["router_id"]) == (None, None, None)
        assert shown["status"] == "DOWN"
    assert "agree" in simulated.pileus.ok("audit")


def _delete(user: User, server: str) -> None:
    try:
        user.call("DELETE", f"/compute/servers/{server}")
    except httpx.TransportError:
        pass  # killed before it answered


def _whole(user: User, server: str, floating: str, port: str) -> None:
    """Either nothing of the deletion has happened, or all that is one commit."""
    led = user.get(f"/network/floatingips/{floating}")["floatingip"]["port_id"]
    there = user.call("GET", f"/network/ports/{port}").status_code == 200
    assert led == (port if there else None)
