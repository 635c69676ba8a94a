"""vhd, vhdx, vdi and ploop. Sources: Microsoft VHD 1.0 and [MS-VHDX], VirtualBox VDI 1.1, QEMU docs/interop/parallels.txt."""

from __future__ import annotations

import uuid

from pileus.services.image.inspect.source import BadImage, Source, sensible


def vhd(source: Source) -> int:
    at = 0 if source.read(0, 8) == b"conectix" else source.size - 512
    (size,), (kind,) = source.unpack(">Q", at + 48, "vhd footer"), source.unpack(">I", at + 60, "vhd footer")
    if kind not in (2, 3):
        raise BadImage(
            f"the vhd image is of type {kind}; it must be fixed (2) or dynamic (3), not a difference to another."
        )
    return sensible(size, "vhd")


_REGIONS = 192 << 10
_MOST_ENTRIES = 2047
_BAT, _METADATA, _PARAMETERS, _SIZE, _PARENT = (
    uuid.UUID(text).bytes_le
    for text in (
        "2dc27766-f623-4200-9d64-115e9bfd4a08",
        "8b7ca206-4790-4b9a-b8fe-575f050f886e",
        "caa16737-fa36-4d43-b3b6-33f0aa44e76b",
        "2fa54224-cd1b-4876-b211-5dbed83bf4b8",
        "a8d35f2d-b30b-454d-abf7-d3d84834ab0c",
    )
)
_HAS_PARENT = 2


def vhdx(source: Source) -> int:
    metadata = _vhdx_metadata(source)
    table = "vhdx metadata"
    if source.read(metadata, 8) != b"metadata":
        source.unpack("<Q", metadata, table)
        raise BadImage("the vhdx image has no metadata table.")
    (count,) = source.unpack("<H", metadata + 10, table)
    items: dict[bytes, int] = {}
    for index in range(min(count, _MOST_ENTRIES)):
        at = metadata + 32 + 32 * index
        (offset,) = source.unpack("<I", at + 16, table)
        items[source.read(at, 16)] = metadata + offset
    if _PARAMETERS not in items or _SIZE not in items:
        raise BadImage("the vhdx metadata has no parameters or no size.")
    (flags,) = source.unpack("<I", items[_PARAMETERS] + 4, table)
    if _PARENT in items or flags & _HAS_PARENT:
        raise BadImage("the vhdx image is a difference to another.")
    return sensible(source.unpack("<Q", items[_SIZE], table)[0], "vhdx")


def _vhdx_metadata(source: Source) -> int:
    """Where its metadata begin."""
    table = "vhdx region table"
    (count,) = source.unpack("<I", _REGIONS + 8, table)
    if source.read(_REGIONS, 4) != b"regi":
        raise BadImage("the vhdx image has no region table.")
    found = None
    for index in range(min(count, _MOST_ENTRIES)):
        at = _REGIONS + 16 + 32 * index
        offset, _length, required = source.unpack("<QII", at + 16, table)
        kind = source.read(at, 16)
        if kind == _METADATA:
            found = offset
        elif kind != _BAT and required:
            raise BadImage("the vhdx image has an unknown region.")
    if found is None:
        raise BadImage("the vhdx image has no metadata.")
    return found


def vdi(source: Source) -> int:
    (kind,) = source.unpack("<I", 76, "vdi header")
    (size,) = source.unpack("<Q", 368, "vdi header")
    parents = source.unpack("<4Q", 424, "vdi header")
    if kind not in (1, 2) or any(parents):
        raise BadImage(
            f"the vdi image is of type {kind}; it must be dynamic (1) or fixed (2), not a difference to another."
        )
    return sensible(size, "vdi")


def ploop(source: Source) -> int:
    (sectors,) = source.unpack("<Q", 36, "ploop header")
    extended = source.read(0, 16) == b"WithouFreSpacExt"
    return sensible((sectors if extended else sectors & 0xFFFFFFFF) * 512, "ploop")
