"""Bodies of the actions on servers."""

from __future__ import annotations

from typing import Annotated, Literal

from pileus.core.body import UNSET, Body, Reply, Unset, length, since
from pileus.services.compute.types.fields import Name, Whole


class Reboot(Body):
    type: Literal["SOFT", "HARD", "soft", "hard", "Soft", "Hard"]


class Lock(Body):
    locked_reason: Annotated[Annotated[str, length(1, 255)], since("2.73")] | Unset = UNSET


class ResetState(Body):
    state: Literal["active", "error"]


class GroupName(Body):
    name: Name


class ConsoleOutput(Body):
    length: Whole | Literal[-1, "-1"] | None = None


class ConsoleKind(Body):
    """`os-get...Console`."""

    type: str


class ChangePassword(Body):
    adminPass: Annotated[str, length(0, 255)]


class NetworkOfFixedIp(Body):
    """`addFixedIp`."""

    networkId: Annotated[str, length(1, 36)]


class FixedIpAddress(Body):
    """`removeFixedIp`."""

    address: Annotated[str, length(2, 45)]


class FloatingIpAddress(Body):
    address: str
    fixed_address: str | Unset = UNSET


class RemoteConsole(Body):
    """POST /servers/{id}/remote-consoles."""

    __wrap__ = "remote_console"
    protocol: Literal["vnc", "spice", "rdp", "serial", "mks"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "spice-direct", "rdp-html5", "serial", "webmks"]


class RemoteConsoleShown(Reply):
    __wrap__ = "remote_console"
    protocol: str
    type: str
    url: str
