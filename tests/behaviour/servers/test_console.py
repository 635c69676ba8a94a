"""The whole way of a console: token, control plane, proof, agent, the guest's VNC port."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
import websockets
from tests.support.compute_cloud import HOST, HOST_TOKEN, Cloud
from websockets.typing import Subprotocol

from pileus.node import console
from pileus.node.desired import Diagnostics, DiskCounters, NicCounters, proof


class Guests:
    """What the agent's console server needs of a host."""

    def __init__(self, vnc_port: int) -> None:
        self.vnc_port = vnc_port
        self.counted: Diagnostics | None = Diagnostics(
            uptime=10,
            memory_kib=1 << 20,
            memory_used_kib=300 << 10,
            cpu_times=(5_000_000_000, 0),
            nics=(NicCounters(name="tap1", mac="fa:16:3e:00:00:01", rx_octets=7, tx_drop=1),),
            disks=(DiskCounters(name="vda", read_bytes=512, write_requests=3),),
        )

    def see(self) -> Any:
        class Everything(dict[str, Any]):
            def get(self, key: str, default: Any = None) -> Any:
                return seen

        class Seen:
            vnc_port = self.vnc_port

        seen = Seen()
        return Everything()

    def diagnostics(self, guest_id: str) -> Diagnostics | None:
        return self.counted

    def console_log(self, guest_id: str, limit: int) -> bytes:
        return b"first\nsecond\nthird\n\x1b[1m\xff"[-limit:]


@contextlib.contextmanager
def listening(app: Any) -> Iterator[int]:
    """The port on which an ASGI application is served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def echo() -> Iterator[int]:
    """A TCP port that greets as a VNC server does, and gives back what it gets."""

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"RFB 003.008\n")
                while data := connection.recv(4096):
                    connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


async def talk(url: str, **options: Any) -> tuple[bytes, bytes]:
    async with websockets.connect(url, subprotocols=[Subprotocol("binary")], **options) as connection:
        greeting = await connection.recv()
        await connection.send(b"hello")
        return greeting, await connection.recv()  # type: ignore[return-value]


def test_a_console_is_seen_and_typed_into_through_the_api() -> None:
    cloud = Cloud()
    with echo() as vnc, listening(console.make_app({HOST: Guests(vnc)}, proof(HOST_TOKEN), Path("/dev/null"))) as agent:  # type: ignore[dict-item]
        host = cloud.host(agent_url=f"http://127.0.0.1:{agent}/{HOST}")
        server_id = cloud.active(host)["id"]
        output = cloud.act(server_id, "os-getConsoleOutput", {"length": 2}).json()["output"]
        assert output == "third\n[1m\N{REPLACEMENT CHARACTER}"
        assert cloud.act(server_id, "os-getConsoleOutput", {}).json()["output"].startswith("first\n")
        wish = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        url = cloud.call("POST", f"/servers/{server_id}/remote-consoles", wish).json()["remote_console"]["url"]
        path = parse_qs(urlsplit(url).query)["path"][0]
        with listening(cloud.app.asgi) as port:
            stream = f"ws://127.0.0.1:{port}/{path}"
            assert asyncio.run(talk(stream)) == (b"RFB 003.008\n", b"hello")
            for wrong, headers in ((stream + "x", {}), (stream, {"Origin": "http://evil.example"})):
                with pytest.raises(websockets.InvalidStatus):
                    asyncio.run(talk(wrong, additional_headers=headers))


def test_what_a_guest_uses_is_asked_of_its_host() -> None:
    cloud, guests = Cloud(), Guests(0)
    with listening(console.make_app({HOST: guests}, proof(HOST_TOKEN), Path("/dev/null"))) as agent:  # type: ignore[dict-item]
        host = cloud.host(agent_url=f"http://127.0.0.1:{agent}/{HOST}")
        path = f"/servers/{cloud.active(host)['id']}/diagnostics"
        shown = cloud.call("GET", path, token="project-admin", version="2.48").json()
        assert (shown["state"], shown["uptime"], shown["num_cpus"]) == ("running", 10, 2)
        assert shown["memory_details"] == {"maximum": 1024, "used": 300}
        assert shown["cpu_details"][0] == {"id": 0, "time": 5_000_000_000, "utilisation": 50}
        assert (shown["nic_details"][0]["rx_octets"], shown["nic_details"][0]["tx_drop"]) == (7, 1)
        assert (shown["disk_details"][0]["read_bytes"], shown["disk_details"][0]["write_requests"]) == (512, 3)
        old = cloud.call("GET", path, token="project-admin", version="2.47").json()
        assert (old["cpu0_time"], old["vda_read"], old["tap1_rx"], old["memory"]) == (5_000_000_000, 512, 7, 1 << 20)
        assert cloud.call("GET", path).status_code == 403
        guests.counted = None
        assert cloud.call("GET", path, token="project-admin").status_code == 409
    assert cloud.call("GET", path, token="project-admin").status_code == 503
