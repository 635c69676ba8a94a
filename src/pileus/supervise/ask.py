"""Liveness questions, asked over a daemon's own socket. Each raises OSError (TimeoutError) when no answer comes."""

import json
import socket
import struct
from pathlib import Path


def json_rpc(path: Path, method: str, timeout: float) -> None:
    """OVSDB servers (RFC 7047 section 4) answer `echo`, the control sockets of OVS and OVN answer `version`."""
    request = json.dumps({"id": 0, "method": method, "params": []}).encode()
    with _connect(path, timeout) as peer:
        peer.sendall(request)
        reply = b""
        while chunk := peer.recv(65536):
            reply += chunk
            try:
                json.loads(reply)
            except ValueError:
                continue
            return
    raise ConnectionError(f"{path} closed the connection")


KEEPALIVE_PING = struct.pack(">IIIIIII", 28, 0x6B656570, 1, 1, 2, 0, 0)


class LibvirtKeepalive:
    """libvirt's daemons answer a PING of their keep-alive protocol from their event loop, before any login.

    One connection stays open: they log each one that ends as an error.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._peer: socket.socket | None = None

    def __call__(self, timeout: float) -> None:
        try:
            self._ping(timeout)
        except OSError:
            if self._peer:
                self._peer.close()
            self._peer = None
            raise

    def _ping(self, timeout: float) -> None:
        if self._peer is None:
            self._peer = _connect(self._path, timeout)
        self._peer.settimeout(timeout)
        self._peer.sendall(KEEPALIVE_PING)
        if not self._peer.recv(len(KEEPALIVE_PING)):
            raise ConnectionError(f"{self._path} closed the connection")


def _connect(path: Path, timeout: float) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(timeout)
    try:
        peer.connect(str(path))
    except OSError as error:
        peer.close()
        raise type(error)(error.errno, f"{path}: {error.strerror or 'no answer'}") from None
    return peer
