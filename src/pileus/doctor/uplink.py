"""Frames with 802.1p priority tags (IEEE 802.1Q, VLAN id 0), which some guests' kernels drop and captures do not show."""

from __future__ import annotations

import socket
import struct
import time

SECONDS = 1.0
_EVERYTHING = 3
_PACKET_AUXDATA = 8
_SOL_PACKET = 263
_TAG_THERE = 1 << 4
_AUXDATA = struct.Struct("=IIIHHHH")
"""tp_status, tp_len, tp_snaplen, tp_mac, tp_net, tp_vlan_tci, tp_vlan_tpid (packet(7))"""


def listen(interface: str) -> socket.socket:
    """Hears every frame that the interface sends or receives. Raises OSError."""
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING))
    ear.bind((interface, 0))
    ear.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    return ear


def priority_tagged(ear: socket.socket, seconds: float = SECONDS) -> tuple[int, int]:
    """(frames with a priority tag, all frames) that were received within `seconds`."""
    tagged = heard = 0
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ear.settimeout(left)
        try:
            frame, notes, _, sender = ear.recvmsg(64, 64)
        except TimeoutError:
            break
        if sender[2] == socket.PACKET_OUTGOING:
            continue
        heard += 1
        tagged += _is_priority_tagged(frame, notes)
    return tagged, heard


def _is_priority_tagged(frame: bytes, notes: list[tuple[int, int, bytes]]) -> bool:
    """The kernel takes the tag off the frame and puts it into the notes; some drivers leave it in."""
    if len(frame) >= 16 and frame[12:14] == b"\x81\x00":
        return int.from_bytes(frame[14:16], "big") & 0xFFF == 0
    for level, kind, data in notes:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(data) >= _AUXDATA.size:
            status, *_, tci, _tpid = _AUXDATA.unpack_from(data)
            return bool(status & _TAG_THERE) and tci & 0xFFF == 0
    return False
